/** Bounds on what a peer may send. Everything here is under the control of whoever connects. */

/** Start line and header fields together; a trailer section has the same bound. */
export const MAX_HEAD_BYTES = 64 * 1024;
export const MAX_FIELDS = 100;
export const MAX_METHOD_BYTES = 32;
/** Hex digits of a chunk size: 13 keep the value below 2^52. */
export const MAX_CHUNK_SIZE_DIGITS = 13;
/** Decimal digits of a Content-Length: 15 keep the value below 2^53. */
export const MAX_LENGTH_DIGITS = 15;
/** Chunk extensions of one body together: they carry nothing, so a body made of them is an attack. */
export const MAX_CHUNK_EXTENSION_BYTES = 16 * 1024;
/** Names listed in Connection. */
export const MAX_CONNECTION_OPTIONS = 16;
