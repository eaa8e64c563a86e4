import { FlavrError, shown } from '../errors.js';
import type { BackendName, SessionOptions } from './backend.js';

type Precision = SessionOptions['precision'];

const GPU: readonly Precision[] = ['fp16', 'fp32', 'tf32'];
const PRECISIONS: Readonly<Record<BackendName, readonly Precision[]>> = {
  // fp16 graphs are computed in float32 there, and int8's unsigned activations nowhere else.
  cpu: ['fp32', 'fp16', 'int8'],
  tensorrt: GPU,
  'tensorrt-rtx': GPU,
};

/** What a backend can compute in; the default first. */
export const precisionsOf = (backend: BackendName): readonly Precision[] => PRECISIONS[backend];

/**
 * The precision that is asked for, or the backend's default.
 * @throws FlavrError `BAD_ARGUMENT` for one that the backend does not have.
 */
export function choosePrecision(backend: BackendName, asked: Precision | undefined): Precision {
  const known = PRECISIONS[backend];
  if (asked === undefined) return known[0]!;
  if (known.includes(asked)) return asked;
  throw new FlavrError(
    'BAD_ARGUMENT',
    `The backend ${backend} has the precisions ${known.join(', ')}; got ${shown(asked)}.`,
  );
}
