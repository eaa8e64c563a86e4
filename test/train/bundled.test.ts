import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { psnr } from '../../ts/evaluate/index.js';
import { Interpolator } from '../../ts/interpolator.js';
import { BUNDLED_MODELS } from '../../ts/model/bundled.js';
import { read } from '../video/read-video.js';

const [WIDTH, HEIGHT] = [256, 144];
const STARTS = [0, 24, 45];
const GREYS = [0, 1, 64, 127, 200, 255];

/**
 * Decibels to which a mirrored or reversed answer must agree, by factor. 40 is the goal of all; where things move far from
 * frame to frame the 4x and 8x models guess more and do not reach it yet.
 */
const AGREEMENT: Readonly<Record<number, number>> = { 2: 40, 4: 36, 8: 30 };

/** The middle of a 480x270 frame. */
function middle(frame: Uint8Array): Uint8Array {
  const cut = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let row = 0; row < HEIGHT; row++) {
    const at = ((row + 63) * 480 + 112) * 3;
    cut.set(frame.subarray(at, at + WIDTH * 3), row * WIDTH * 3);
  }
  return cut;
}

/** A frame with left and right exchanged. */
function mirror(frame: Uint8Array): Uint8Array {
  const mirrored = new Uint8Array(frame.length);
  for (let row = 0; row < HEIGHT; row++) {
    for (let column = 0; column < WIDTH; column++) {
      const [from, to] = [(row * WIDTH + column) * 3, (row * WIDTH + WIDTH - 1 - column) * 3];
      mirrored.set(frame.subarray(from, from + 3), to);
    }
  }
  return mirrored;
}

/** Decibels by which the worst frame of `a` agrees with its fellow in `b`. */
function agreement(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  const picture = (data: Uint8Array) => ({ width: WIDTH, height: HEIGHT, data });
  return Math.min(...a.map((frame, i) => psnr(picture(frame), picture(b[i]!), 'rounded')));
}

const clip = (await read('samples/bunny.mp4')).frames.map(({ data }) => middle(data));

for (const { name, factor } of BUNDLED_MODELS) {
  const flavr = await Interpolator.open({ model: name, width: WIDTH, height: HEIGHT, backend: 'cpu' });

  /** The new frames of the gap in the middle of four. */
  const gap = async (frames: readonly Uint8Array[]): Promise<Uint8Array[]> =>
    (await flavr.interpolate(frames, factor)).slice(factor + 1, 2 * factor);
  const latest = clip.length - 1 - 3 * factor;
  const window = (start: number) => [0, 1, 2, 3].map((i) => clip[Math.min(start, latest) + i * factor]!.slice());

  test(`${name}: flat grey stays the same flat grey`, async () => {
    for (const grey of GREYS) {
      const frames = [0, 1, 2, 3].map(() => new Uint8Array(WIDTH * HEIGHT * 3).fill(grey));
      for (const made of await gap(frames)) assert.ok(made.every((value) => Math.abs(value - grey) <= 1));
    }
  });

  test(`${name}: a still clip gives back itself`, async () => {
    const still = clip[STARTS[1]!]!;
    for (const made of await gap([0, 1, 2, 3].map(() => still.slice()))) {
      const error = made.reduce((sum, value, i) => sum + Math.abs(value - still[i]!), 0) / made.length;
      console.log(`\nNOTE ${name}, still: mean error ${error.toFixed(3)} of 255`);
      assert.ok(error <= 1);
    }
  });

  test(`${name}: mirrored frames give the mirrored answer`, async () => {
    for (const start of STARTS) {
      const decibels = agreement(await gap(window(start).map(mirror)), (await gap(window(start))).map(mirror));
      console.log(`\nNOTE ${name}, mirrored, frame ${start}: ${decibels.toFixed(1)} dB`);
      assert.ok(decibels >= AGREEMENT[factor]!);
    }
  });

  test(`${name}: reversed frames give the reversed answer`, async () => {
    for (const start of STARTS) {
      const decibels = agreement(await gap(window(start).reverse()), (await gap(window(start))).reverse());
      console.log(`\nNOTE ${name}, reversed, frame ${start}: ${decibels.toFixed(1)} dB`);
      assert.ok(decibels >= AGREEMENT[factor]!);
    }
  });

  test.after(() => flavr.dispose());
}

test.run();
