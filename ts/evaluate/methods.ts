import type { Picture } from './picture.js';
import type { BytePicture } from './prepare.js';

/** Something that fills gaps: a model, or what a model must beat. */
export interface Method {
  /** Unique among the methods of a run. */
  readonly name: string;
  /** Everything that decides the figures, so that a resumed run takes over only what is the same. */
  readonly identity: string;
  /** How many frames of a window it looks at: the middle ones. */
  readonly inputs: number;
  /**
   * What form its frames of factor k have before they are measured, in words for the report.
   * @throws FlavrError `UNSUPPORTED_FACTOR`
   */
  output(factor: number): string;
  /** The k-1 pictures between the middle two of a window of `inputs` frames, in order of time; floats where it has them. */
  interpolate(window: readonly BytePicture[], factor: number): Promise<readonly Picture[]>;
  close(): Promise<void>;
}

function neighbours(
  name: string,
  output: string,
  paint: (before: BytePicture, after: BytePicture, instant: number) => Picture,
): Method {
  return {
    name,
    identity: name,
    inputs: 2,
    output: () => output,
    async interpolate([before, after], factor) {
      return Array.from({ length: factor - 1 }, (_, j) => paint(before!, after!, (j + 1) / factor));
    },
    close: () => Promise.resolve(),
  };
}

/** The straight mixture of the two neighbours, unrounded. */
export const blend: Method = neighbours('blend', 'unrounded', (before, after, t) => {
  const data = new Float32Array(before.data.length);
  for (let i = 0; i < data.length; i++) data[i] = ((1 - t) * before.data[i]! + t * after.data[i]!) / 255;
  return { ...before, data };
});

/** The neighbour that is nearer in time; the earlier at the middle. */
export const nearest: Method = neighbours('nearest', '8-bit', (before, after, t) => (t <= 0.5 ? before : after));
