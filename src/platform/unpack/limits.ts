/** Bounds on what an image may ask of the machine. All of it comes from whoever could push. */
export interface UnpackLimits {
  /** Entries of all layers together, deleted ones included. */
  entries: number;
  /** Unpacked bytes of all layers together. */
  bytes: number;
  /** Unpacked bytes of one layer per stored byte, above `ratioFreeBytes`. */
  ratio: number;
  ratioFreeBytes: number;
  /** UTF-8 bytes of a path and of one of its parts; parts of a path. */
  pathBytes: number;
  nameBytes: number;
  depth: number;
  /** Bytes of one extended header (pax, GNU long name). */
  headerBytes: number;
}

export const UNPACK_LIMITS: UnpackLimits = {
  entries: 200_000,
  bytes: 4 * 1024 ** 3,
  ratio: 200,
  ratioFreeBytes: 64 * 1024 ** 2,
  pathBytes: 3_072,
  nameBytes: 255,
  depth: 64,
  headerBytes: 1024 ** 2,
};
