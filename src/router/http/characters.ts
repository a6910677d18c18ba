/** Character classes of RFC 9110 and RFC 9112, one bit each, for parsing bytes by table. */
export const TOKEN = 1;
export const FIELD_VALUE = 2;
export const TARGET = 4;
export const HOST = 8;

const ALPHANUMERIC = /[0-9A-Za-z]/;

function classOf(byte: number): number {
  const character = String.fromCharCode(byte);
  const alphanumeric = ALPHANUMERIC.test(character);
  let bits = 0;
  if (alphanumeric || "!#$%&'*+-.^_`|~".includes(character)) bits |= TOKEN;
  // Bytes above 0x7f are obs-text: opaque, passed on.
  if (byte === 0x09 || (byte >= 0x20 && byte !== 0x7f)) bits |= FIELD_VALUE;
  // A fragment never travels; raw non-ASCII is not a URI and servers disagree about what it means.
  if (byte > 0x20 && byte < 0x7f && character !== '#') bits |= TARGET;
  if (alphanumeric || "-._~!$&'()*+,;=%:[]".includes(character)) bits |= HOST;
  return bits;
}

export const CLASSES: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => classOf(byte));

/** Value of a hex digit, -1 for any other byte. */
export const HEX: Int8Array = Int8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  return /[0-9a-fA-F]/.test(character) ? Number.parseInt(character, 16) : -1;
});

export const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
export const SPACE = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;

export function isToken(text: string): boolean {
  if (text.length === 0) return false;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 0x7f || (CLASSES[code]! & TOKEN) === 0) return false;
  }
  return true;
}
