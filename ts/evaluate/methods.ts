import type { Picture } from './picture.js';

/** Something that fills gaps: a model, or what a model must beat. */
export interface Method {
  readonly name: string;
  /**
   * The k-1 pictures between the middle two of a window, in order of time. Floats where the method has them unrounded.
   */
  interpolate(window: readonly Picture[], factor: number): Promise<readonly Picture[]>;
  close(): Promise<void>;
}

function baseline(name: string, paint: (before: Picture, after: Picture, instant: number) => Picture): Method {
  return {
    name,
    async interpolate(window, factor) {
      const [before, after] = [window[window.length / 2 - 1]!, window[window.length / 2]!];
      return Array.from({ length: factor - 1 }, (_, j) => paint(before, after, (j + 1) / factor));
    },
    close: () => Promise.resolve(),
  };
}

/** The straight mixture of the two neighbours, unrounded. */
export const blend: Method = baseline('blend', (before, after, t) => {
  const data = new Float32Array(before.data.length);
  for (let i = 0; i < data.length; i++) data[i] = ((1 - t) * before.data[i]! + t * after.data[i]!) / 255;
  return { ...before, data };
});

/** The neighbour that is nearer in time; the earlier at the middle. */
export const nearest: Method = baseline('nearest', (before, after, t) => (t <= 0.5 ? before : after));
