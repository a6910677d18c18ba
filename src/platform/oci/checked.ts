import { createHash } from 'node:crypto';
import { Transform } from 'node:stream';
import type { Digest } from '../../kernel/digest.ts';
import { SlipwayError } from '../../kernel/errors.ts';

function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':'));
}

/** The digest of `bytes` by the algorithm of `like`. */
export function digestLike(like: Digest, bytes: Buffer): Digest {
  const algorithm = algorithmOf(like);
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}` as Digest;
}

/** Passes bytes on and errors with `digest_mismatch` at the end when they are not those of the digest (or of another size). */
export function checkedStream(digest: Digest, size?: number): Transform {
  const hash = createHash(algorithmOf(digest));
  let bytes = 0;
  return new Transform({
    highWaterMark: 256 * 1024,
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      hash.update(chunk);
      if (size !== undefined && bytes > size) done(mismatch(`more than the ${size} bytes announced`));
      else done(null, chunk);
    },
    flush(done) {
      const actual = `${algorithmOf(digest)}:${hash.digest('hex')}`;
      if (actual !== digest) done(mismatch(`the bytes are ${actual}, not ${digest}`));
      else if (size !== undefined && bytes !== size)
        done(mismatch(`${bytes} bytes, not the ${size} announced`));
      else done();
    },
  });
}

function mismatch(message: string): SlipwayError {
  return new SlipwayError('digest_mismatch', message);
}
