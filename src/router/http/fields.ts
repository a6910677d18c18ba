/**
 * Header fields the router acts on, by number, so that classifying a field costs one look at its length. `-` and `_`
 * count as the same character: gateways behind us (CGI, WSGI) cannot tell them apart, so `Content_Length` or
 * `X_Forwarded_For` from a client is a spoof of the real field and is dropped.
 */
export const OTHER = 0;
export const HOST_FIELD = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const CONNECTION = 4;
export const UPGRADE = 5;
export const EXPECT = 6;
export const COOKIE = 7;
/** Belongs to this hop only: never passed on. */
export const HOP_BY_HOP = 8;
/** Says who the client is; only the router may say that. */
export const FORWARDING = 9;
export const FORWARDED_FOR = 10;
export const FORWARDED_PROTO = 11;
export const FORWARDED_HOST = 12;
/** A known name written with an underscore. */
export const SPOOFED = 13;

const NAMES: Readonly<Record<string, number>> = {
  host: HOST_FIELD,
  'content-length': CONTENT_LENGTH,
  'transfer-encoding': TRANSFER_ENCODING,
  connection: CONNECTION,
  upgrade: UPGRADE,
  expect: EXPECT,
  cookie: COOKIE,
  te: HOP_BY_HOP,
  'keep-alive': HOP_BY_HOP,
  'proxy-connection': HOP_BY_HOP,
  'proxy-authorization': HOP_BY_HOP,
  'proxy-authenticate': HOP_BY_HOP,
  'http2-settings': HOP_BY_HOP,
  forwarded: FORWARDING,
  'x-real-ip': FORWARDING,
  'x-forwarded-port': FORWARDING,
  'x-forwarded-server': FORWARDING,
  'x-forwarded-for': FORWARDED_FOR,
  'x-forwarded-proto': FORWARDED_PROTO,
  'x-forwarded-host': FORWARDED_HOST,
};

interface Known {
  bytes: Uint8Array;
  field: number;
}

const BY_LENGTH: (readonly Known[] | undefined)[] = [];
for (const [name, field] of Object.entries(NAMES)) {
  BY_LENGTH[name.length] = [...(BY_LENGTH[name.length] ?? []), { bytes: Buffer.from(name), field }];
}
// A dense array without holes keeps the look-up in the parser's inner loop cheap.
for (let i = 0; i < 24; i++) BY_LENGTH[i] ??= undefined;

const UNDERSCORE_LOWERED = 0x7f;
const DASH = 0x2d;

/** The number of the field whose name stands at `start` to `end` (exclusive); `OTHER` for all that pass untouched. */
export function classifyField(buffer: Uint8Array, start: number, end: number): number {
  const length = end - start;
  if (length >= BY_LENGTH.length) return OTHER;
  const candidates = BY_LENGTH[length];
  if (candidates === undefined) return OTHER;
  for (const known of candidates) {
    let spoofed = false;
    let i = 0;
    for (; i < length; i++) {
      let byte = buffer[start + i]! | 0x20;
      if (byte === UNDERSCORE_LOWERED) {
        byte = DASH;
        spoofed = true;
      }
      if (byte !== known.bytes[i]) break;
    }
    if (i === length) return spoofed ? SPOOFED : known.field;
  }
  return OTHER;
}
