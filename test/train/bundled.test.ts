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
 * Decibels to which the worst new frame of a mirrored or reversed window must agree, by factor. On average over a validation
 * clip all models reach 40; where things move far from frame to frame they guess more, and reach less.
 */
const AGREEMENT: Readonly<Record<number, number>> = { 2: 39, 4: 39, 8: 37 };

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

/** What is done to frames, and to the answer to get the first one back. */
const TURNS = [
  ['mirrored', (frames: readonly Uint8Array[]) => frames.map(mirror)],
  ['reversed', (frames: readonly Uint8Array[]) => [...frames].reverse()],
] as const;

/** The linear blend of two frames at instant t. */
const blend = (before: Uint8Array, after: Uint8Array, t: number): Uint8Array =>
  before.map((value, i) => Math.round(value + t * (after[i]! - value)));

/** Decibels by which the worst frame of `a` agrees with its fellow in `b`. */
function agreement(a: readonly Uint8Array[], b: readonly Uint8Array[]): number {
  assert.is(a.length, b.length);
  const picture = (data: Uint8Array) => ({ width: WIDTH, height: HEIGHT, data });
  return Math.min(...a.map((frame, i) => psnr(picture(frame), picture(b[i]!), 'rounded')));
}

const difference = (a: Uint8Array, b: Uint8Array): Float64Array =>
  Float64Array.from(a, (value, i) => Math.abs(value - b[i]!));
const mean = (values: Float64Array): number => values.reduce((sum, value) => sum + value, 0) / values.length;
const note = (text: string): void => console.log(`\nNOTE ${text}`);

const clip = (await read('samples/bunny.mp4')).frames.map(({ data }) => middle(data));

test('there is a bundled model of factor 2, 4 and 8', () => {
  assert.equal(BUNDLED_MODELS.map(({ factor }) => factor).sort(), [2, 4, 8]);
});

for (const { name, factor } of BUNDLED_MODELS) {
  const flavr = await Interpolator.open({ model: name, width: WIDTH, height: HEIGHT, backend: 'cpu' });

  /** The new frames of the gap in the middle of four. */
  const gap = async (frames: readonly Uint8Array[]): Promise<Uint8Array[]> => {
    const made = (await flavr.interpolate(frames, factor)).slice(factor + 1, 2 * factor);
    assert.is(made.length, factor - 1);
    return made;
  };
  const latest = clip.length - 1 - 3 * factor;
  const window = (start: number) => [0, 1, 2, 3].map((i) => clip[Math.min(start, latest) + i * factor]!.slice());

  test(`${name}: flat grey stays the same flat grey`, async () => {
    let worst = 0;
    for (const grey of GREYS) {
      const flat = new Uint8Array(WIDTH * HEIGHT * 3).fill(grey);
      const made = await gap([0, 1, 2, 3].map(() => flat.slice()));
      for (const frame of made)
        worst = Math.max(
          worst,
          difference(frame, flat).reduce((a, b) => Math.max(a, b)),
        );
    }
    note(`${name}, flat grey: at most ${worst} of 255 off`);
    assert.ok(worst <= 1);
  });

  test(`${name}: a still clip gives back itself`, async () => {
    const still = clip[STARTS[1]!]!;
    const made = await gap([0, 1, 2, 3].map(() => still.slice()));
    const worst = Math.max(...made.map((frame) => mean(difference(frame, still))));
    note(`${name}, still: mean error ${worst.toFixed(3)} of 255`);
    assert.ok(worst <= 1);
  });

  for (const [how, turn] of TURNS) {
    test(`${name}: ${how} frames give the ${how} answer`, async () => {
      for (const start of STARTS) {
        const frames = window(start);
        const [, before, after] = frames;
        const answer = await gap(frames);
        const blends = answer.map((_, i) => blend(before!, after!, (i + 1) / factor));
        const [moved, added] = [agreement([before!], [after!]), agreement(answer, blends)];
        const decibels = agreement(turn(await gap(turn(frames))), answer);
        note(
          `${name}, ${how}, frame ${start}: ${decibels.toFixed(1)} dB ` +
            `(answer against blend ${added.toFixed(1)} dB, the two frames ${moved.toFixed(1)} dB)`,
        );
        assert.ok(decibels >= AGREEMENT[factor]!);
        // Still frames would agree in any case, and so would the blend, were it all that the model gives.
        assert.ok(moved < 30);
        assert.ok(added < decibels);
      }
    });
  }

  test.after(() => flavr.dispose());
}

test.run();
