import { CLASSES, HOST } from './characters.ts';
import {
  CONNECTION,
  CONTENT_LENGTH,
  COOKIE,
  EXPECT,
  FORWARDED_FOR,
  FORWARDED_HOST,
  FORWARDED_PROTO,
  HOST_FIELD,
  OTHER,
  UPGRADE,
} from './fields.ts';
import {
  type ConnectionOptions,
  connectionOptions,
  copyFields,
  declaredFraming,
  type Framing,
  fieldValue,
  NO_BODY,
  NO_OPTIONS,
  type Refusal,
} from './framing.ts';
import { FIELD_STRIDE, type HeadParser } from './head-parser.ts';
import { latin1 } from './latin1.ts';

/** A request's head, judged and rewritten for the next hop. */
export interface RequestHead {
  method: string;
  minorVersion: number;
  framing: Framing;
  /** The client wants to keep the connection. */
  keepAlive: boolean;
  /** A WebSocket handshake. */
  upgrade: boolean;
  expectsContinue: boolean;
  /** The head to send on, up to and with the empty line. */
  text: string;
}

/** Who is at the other end of the client's connection. */
export interface Peer {
  address: string;
  /** Our address and port, for clients of HTTP/1.0 that name no host. */
  localHost: string;
  /** The peer is a proxy of ours: what it says about the client is kept and extended. */
  trusted: boolean;
}

interface Findings {
  host: string | null;
  options: ConnectionOptions;
  upgradeTo: string | null;
  expectsContinue: boolean;
  forwardedFor: string | null;
  forwardedProto: string | null;
  forwardedHost: string | null;
}

/** Judges the head in `parser` and writes the one for the backend; a refusal says what to answer. */
export function readRequestHead(buffer: Buffer, parser: HeadParser, peer: Peer): RequestHead | Refusal {
  const framing = declaredFraming(buffer, parser);
  if (framing !== null && 'status' in framing) return framing;
  const found = collect(buffer, parser);
  if ('status' in found) return found;
  const { options } = found;
  const minorVersion = parser.minorVersion;
  if (found.host === null && minorVersion === 1) return { status: 400, reason: 'Host is missing' };

  const method = latin1(buffer, parser.methodStart, parser.methodEnd);
  const target = readTarget(buffer, parser, method);
  if ('status' in target) return target;
  const body = framing ?? NO_BODY;
  // Upgrades other than WebSocket end here: a tunnel to h2c would carry requests past every rule.
  const upgrade =
    options.upgrade &&
    minorVersion === 1 &&
    method === 'GET' &&
    body.kind === 'none' &&
    found.upgradeTo?.toLowerCase() === 'websocket';
  const host = target.authority ?? found.host ?? peer.localHost;
  const keepHost = target.authority === null && found.host !== null;

  let text = `${method} ${target.path} HTTP/1.1\r\n`;
  if (!keepHost) text += `Host: ${host}\r\n`;
  text += copyFields(buffer, parser, keepHost ? passesWithHost : passes, options.named);
  if (body.kind === 'chunked') text += 'Transfer-Encoding: chunked\r\n';
  if (upgrade) text += 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
  if (found.expectsContinue && body.kind !== 'none') text += 'Expect: 100-continue\r\n';
  text += `${forwardingLines(found, peer, host)}\r\n`;
  return {
    method,
    minorVersion,
    framing: body,
    keepAlive: minorVersion === 1 ? !options.close : options.keepAlive && !options.close,
    upgrade,
    expectsContinue: found.expectsContinue,
    text,
  };
}

function passesWithHost(field: number): boolean {
  return field === OTHER || field === HOST_FIELD || field === CONTENT_LENGTH || field === COOKIE;
}

function passes(field: number): boolean {
  return field === OTHER || field === CONTENT_LENGTH || field === COOKIE;
}

function collect(buffer: Buffer, parser: HeadParser): Findings | Refusal {
  const found: Findings = {
    host: null,
    options: NO_OPTIONS,
    upgradeTo: null,
    expectsContinue: false,
    forwardedFor: null,
    forwardedProto: null,
    forwardedHost: null,
  };
  for (let i = 0; i < parser.fieldCount; i++) {
    const field = parser.fields[i * FIELD_STRIDE]!;
    if (field === OTHER) continue;
    if (field === HOST_FIELD) {
      if (found.host !== null) return { status: 400, reason: 'Host is given more than once' };
      found.host = fieldValue(buffer, parser, i);
      if (!isHost(found.host)) return { status: 400, reason: 'Host is not valid' };
    } else if (field === CONNECTION) {
      const options = connectionOptions(found.options, fieldValue(buffer, parser, i));
      if (options === null) return { status: 400, reason: 'Connection lists too many options' };
      found.options = options;
    } else if (field === UPGRADE) {
      found.upgradeTo = fieldValue(buffer, parser, i);
    } else if (field === EXPECT) {
      if (fieldValue(buffer, parser, i).toLowerCase() !== '100-continue') {
        return { status: 417, reason: 'an expectation other than 100-continue' };
      }
      found.expectsContinue = parser.minorVersion === 1;
    } else if (field === FORWARDED_FOR) {
      const value = fieldValue(buffer, parser, i);
      found.forwardedFor = found.forwardedFor === null ? value : `${found.forwardedFor}, ${value}`;
    } else if (field === FORWARDED_PROTO) {
      found.forwardedProto = fieldValue(buffer, parser, i);
    } else if (field === FORWARDED_HOST) {
      found.forwardedHost = fieldValue(buffer, parser, i);
    }
  }
  return found;
}

function isHost(host: string): boolean {
  for (let i = 0; i < host.length; i++) {
    if ((CLASSES[host.charCodeAt(i)]! & HOST) === 0) return false;
  }
  return true;
}

/** Path and query, and the authority where the target is an absolute URI (it then replaces Host, RFC 9112 3.2.2). */
function readTarget(
  buffer: Buffer,
  parser: HeadParser,
  method: string,
): { path: string; authority: string | null } | Refusal {
  const target = latin1(buffer, parser.targetStart, parser.targetEnd);
  if (method === 'CONNECT') return { status: 501, reason: 'CONNECT is not offered' };
  if (target.charCodeAt(0) === 0x2f) return { path: target, authority: null };
  if (target === '*') {
    return method === 'OPTIONS'
      ? { path: target, authority: null }
      : { status: 400, reason: 'only OPTIONS may have the target *' };
  }
  const match = /^https?:\/\/([^/?]+)(.*)$/i.exec(target);
  const authority = match?.[1];
  if (authority === undefined || !isHost(authority))
    return { status: 400, reason: 'the request target is not valid' };
  const rest = match?.[2] ?? '';
  return { path: rest.startsWith('/') ? rest : `/${rest}`, authority };
}

function forwardingLines(found: Findings, peer: Peer, host: string): string {
  const chain =
    peer.trusted && found.forwardedFor !== null ? `${found.forwardedFor}, ${peer.address}` : peer.address;
  const proto = (peer.trusted ? found.forwardedProto : null) ?? 'http';
  const original = (peer.trusted ? found.forwardedHost : null) ?? host;
  return `X-Forwarded-For: ${chain}\r\nX-Forwarded-Proto: ${proto}\r\nX-Forwarded-Host: ${original}\r\n`;
}
