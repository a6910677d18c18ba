/** Payload type of in-toto statements. */
export const IN_TOTO_TYPE = 'application/vnd.in-toto+json';

/** DSSE's pre-authentication encoding: what is signed (secure-systems-lab/dsse, protocol.md). Lengths count bytes. */
export function pae(payloadType: string, payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${Buffer.byteLength(payloadType)} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

export interface Envelope {
  payloadType: string;
  payload: string;
  signatures: { sig: string }[];
}

/** No keyid: cosign finds no signature in an envelope that has one. */
export function envelope(payload: Uint8Array, signature: Uint8Array): Envelope {
  return {
    payloadType: IN_TOTO_TYPE,
    payload: Buffer.from(payload).toString('base64'),
    signatures: [{ sig: Buffer.from(signature).toString('base64') }],
  };
}
