/**
 * Ids sort by time and say what they name: `rel_`, `bld_`, `pro_`, `rol_`, `dec_`, `apr_`, then 26 characters of a
 * ULID (48 bits of milliseconds, 80 random bits, Crockford base 32, lower case).
 */
export type IdPrefix = 'rel' | 'bld' | 'pro' | 'rol' | 'dec' | 'apr' | 'tok' | 'req' | 'evd';

const ALPHABET = '0123456789abcdefghjkmnpqrstvwxyz';

/** `random` returns at least 10 random bytes; time and randomness are arguments so that the simulator can replay. */
export function newId(prefix: IdPrefix, nowMs: number, random: (bytes: number) => Uint8Array): string {
  let time = '';
  let rest = Math.floor(nowMs);
  for (let i = 0; i < 10; i++) {
    time = ALPHABET[rest % 32] + time;
    rest = Math.floor(rest / 32);
  }
  const bytes = random(10);
  let bits = 0n;
  for (const byte of bytes.subarray(0, 10)) bits = (bits << 8n) | BigInt(byte);
  let tail = '';
  for (let i = 0; i < 16; i++) {
    tail = ALPHABET[Number(bits & 31n)] + tail;
    bits >>= 5n;
  }
  return `${prefix}_${time}${tail}`;
}

const ID_PATTERN = /^[a-z]{3}_[0-9a-hjkmnp-tv-z]{26}$/;

export function isId(text: string, prefix?: IdPrefix): boolean {
  return ID_PATTERN.test(text) && (prefix === undefined || text.startsWith(`${prefix}_`));
}

/** Names of services, environments, steps: RFC 1123 labels. */
export const NAME_PATTERN = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** A lane is the unit of exclusion: at most one rollout is active in it. */
export type Lane = `${string}/${string}`;

export function laneOf(service: string, environment: string): Lane {
  return `${service}/${environment}`;
}

export function splitLane(lane: Lane): { service: string; environment: string } {
  const slash = lane.indexOf('/');
  return { service: lane.slice(0, slash), environment: lane.slice(slash + 1) };
}
