import type { BytePicture } from './prepare.js';

// From black through purple and orange to white: lightness rises evenly, so that it reads in grey, too.
const STOPS = [
  [0, 0, 0],
  [60, 15, 110],
  [150, 40, 110],
  [225, 90, 60],
  [250, 175, 60],
  [255, 250, 200],
] as const;

/** Values from 0 to 1 (others are clamped) as colours. */
export function heatPicture(values: Float32Array, width: number, height: number): BytePicture {
  const data = new Uint8Array(width * height * 3);
  for (const [i, value] of values.entries()) {
    const place = Math.min(1, Math.max(0, value)) * (STOPS.length - 1);
    const stop = Math.min(STOPS.length - 2, Math.floor(place));
    const part = place - stop;
    for (let channel = 0; channel < 3; channel++) {
      data[i * 3 + channel] = Math.round((1 - part) * STOPS[stop]![channel]! + part * STOPS[stop + 1]![channel]!);
    }
  }
  return { data, width, height };
}
