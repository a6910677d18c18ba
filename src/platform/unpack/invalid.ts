import { SlipwayError } from '../../kernel/errors.ts';

/** An archive that is refused; `what` completes "it holds …". */
export function invalid(what: string): SlipwayError {
  return new SlipwayError('invalid_input', `The layer is refused: it holds ${what}`, {
    hint: 'Rebuild the image with an OCI image builder; archives are read strictly.',
  });
}
