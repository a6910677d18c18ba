export const MASK = '***';
/** Shorter values are no secrets: masking them would only destroy the log. */
const MIN_SECRET = 4;
/** A base64 fragment shorter than this stands in too many innocent places. */
const MIN_FRAGMENT = 6;
const MAX_SECRET = 64 * 1024;

/** Takes text in pieces as it arrives and gives back what is safe to show; `end` gives the rest. */
export interface Masker {
  push(text: string): string;
  end(): string;
}

/**
 * Hides every secret in any common encoding, also when it is split over pieces or wrapped over lines (line breaks are
 * passed over while matching). Only as much text is held back as could still become a secret.
 */
export function createMasker(secrets: readonly string[]): Masker {
  const patterns = [...new Set(secrets.flatMap(encodingsOf))].sort((a, b) => b.length - a.length);
  const byFirst = new Map<string, string[]>();
  for (const pattern of patterns) {
    const list = byFirst.get(pattern.charAt(0));
    if (list) list.push(pattern);
    else byFirst.set(pattern.charAt(0), [pattern]);
  }
  let held = '';
  const take = (final: boolean): string => {
    const { safe, rest } = maskText(held, byFirst, final);
    held = rest;
    return safe;
  };
  return {
    push(text) {
      if (patterns.length === 0) return text;
      held += text;
      return take(false);
    },
    end: () => take(true),
  };
}

/** One finished text, for messages and report fields. */
export function maskAll(text: string, secrets: readonly string[]): string {
  const masker = createMasker(secrets);
  return masker.push(text) + masker.end();
}

/** The forms a secret is looked for, line breaks taken out: raw, JSON, URL, hex, and base64 at each of the three offsets. */
export function encodingsOf(secret: string): string[] {
  if (secret.length < MIN_SECRET || secret.length > MAX_SECRET) return [];
  const bytes = Buffer.from(secret, 'utf8');
  const json = JSON.stringify(secret).slice(1, -1);
  const forms = [secret, json, json.replaceAll('/', '\\/'), JSON.stringify(json).slice(1, -1)];
  forms.push(...urlForms(secret), bytes.toString('hex'), bytes.toString('hex').toUpperCase());
  for (const line of secret.split(/\r?\n/)) if (line.length >= 16 && line !== secret) forms.push(line);
  for (let offset = 0; offset < 3; offset++) forms.push(...base64Forms(bytes, offset));
  return forms.map(withoutBreaks).filter((form) => form.length >= MIN_SECRET);
}

function urlForms(secret: string): string[] {
  let once: string;
  try {
    once = encodeURIComponent(secret);
  } catch {
    // a lone surrogate has no URL form
    return [];
  }
  const strict = once.replace(/[!'()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  const lower = (text: string) => text.replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase());
  const form = new URLSearchParams([['', secret]]).toString().slice(1);
  return [once, strict, lower(once), lower(strict), form, encodeURI(secret), encodeURIComponent(once)];
}

/** The characters that depend on the secret's bytes alone when `offset` bytes stand before it. */
function base64Forms(bytes: Buffer, offset: number): string[] {
  const text = Buffer.concat([Buffer.alloc(offset), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  const from = offset === 0 ? 0 : offset + 1;
  const core = text.slice(from, Math.floor(((offset + bytes.length) * 8) / 6));
  if (core.length < MIN_FRAGMENT) return [];
  return [core, core.replaceAll('+', '-').replaceAll('/', '_')];
}

function withoutBreaks(text: string): string {
  return text.replace(/[\r\n]/g, '');
}

/** Masks what is complete. Unless `final`, what may be the start of a secret is given back as `rest`. */
function maskText(
  text: string,
  byFirst: Map<string, string[]>,
  final: boolean,
): { safe: string; rest: string } {
  const plain: string[] = [];
  const at: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const character = text.charAt(i);
    if (character === '\n' || character === '\r') continue;
    plain.push(character);
    at.push(i);
  }
  const flat = plain.join('');
  let safe = '';
  let from = 0;
  for (let i = 0; i < flat.length; i++) {
    const candidates = byFirst.get(flat.charAt(i));
    if (!candidates) continue;
    const start = at[i] ?? 0;
    if (
      !final &&
      candidates.some((pattern) => flat.length - i < pattern.length && pattern.startsWith(flat.slice(i)))
    ) {
      return { safe: safe + text.slice(from, start), rest: text.slice(start) };
    }
    const hit = candidates.find((pattern) => flat.startsWith(pattern, i));
    if (hit === undefined) continue;
    safe += text.slice(from, start) + MASK;
    from = (at[i + hit.length - 1] ?? start) + 1;
    i += hit.length - 1;
  }
  return { safe: safe + text.slice(from), rest: '' };
}
