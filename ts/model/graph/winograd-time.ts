import type { TimeLayer } from './lowering-2d.js';

/** Output steps that Winograd's algorithm F(4, 3) makes together, a tile, and the convolutions that it takes for them. */
export const TILE = 4;
export const TERMS = 6;

/** The most channels that ONNX Runtime has side by side where it convolves: with AVX-512 or NEON, half as many elsewhere. */
export const BLOCK = 16;

/**
 * What each of the six convolutions takes of the kernel's three slices: their polynomial at 0, 1, -1, 2, -2 and infinity,
 * over what interpolation divides by. The fourfold last one is made up for by the quarter of its input.
 */
export const OF_KERNEL = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 4],
] as const;

/** What each takes of the step before the tile, its four steps and the step behind. */
export const OF_STEPS = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 1, 0, -5 / 4, 0, 1 / 4],
] as const;

/** What each of the tile's steps takes of the six. */
export const OF_TERMS = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
] as const;

/** The term that each step takes once: a layer's bias belongs to it. */
export const BIASED_TERM = 1;

/** Whether a layer is made of whole tiles, of whole blocks of channels. */
export function fitsTiles({ taps, steps, weightShape }: TimeLayer, inputs: number): boolean {
  const [out, channels] = weightShape as [number, number];
  const steady = taps(0).length === 3 && steps === inputs && inputs % TILE === 0;
  return steady && channels % BLOCK === 0 && out % BLOCK === 0;
}

/** The slices of the kernel that meet the step before, the same and the step behind. */
export const slicesInOrder = ({ taps }: Pick<TimeLayer, 'taps'>): number[] =>
  [-1, 0, 1].map((step) => taps(0).find((tap) => tap.step === step)!.slice);

/** Makes the terms of all tiles of all steps; what is outside the window is nothing. */
export function stepsMatrix(tiles: number): number[][] {
  return Array.from({ length: tiles }, (_, tile) =>
    OF_STEPS.map((factors) => {
      const row = new Array<number>(tiles * TILE).fill(0);
      factors.forEach((factor, i) => {
        const step = tile * TILE + i - 1;
        if (step >= 0 && step < row.length) row[step] = factor;
      });
      return row;
    }),
  ).flat();
}
