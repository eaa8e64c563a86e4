import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FigurePool } from '../../ts/evaluate/figure-pool.js';
import { type FigureVariants, figuresOf } from '../../ts/evaluate/figures.js';
import type { Picture } from '../../ts/evaluate/picture.js';
import { Random } from '../support/random.js';
import { rejects } from '../support/rejects.js';

const VARIANTS: FigureVariants = { psnr: 'flavr', ssim: 'matlab3d', interpolationError: true };
const random = new Random(5);

function noise(side: number): Picture {
  return {
    width: side,
    height: side,
    data: Float32Array.from({ length: side * side * 3 }, () => random.int(0, 1000) / 1000),
  };
}

test('many comparisons at a time give what each gives by itself, and leave the pictures as they were', async () => {
  const pool = new FigurePool();
  const truth: Picture = { width: 16, height: 16, data: new Uint8Array(16 * 16 * 3).fill(90) };
  const made = Array.from({ length: 12 }, () => noise(16));
  const figures = await Promise.all(made.map((picture) => pool.compare(picture, truth, VARIANTS)));
  await pool.close();
  assert.equal(
    figures,
    made.map((picture) => figuresOf(picture, truth, VARIANTS)),
  );
  assert.is(truth.data.length, 16 * 16 * 3);
});

test('the event loop turns while a large picture is compared', async () => {
  const pool = new FigurePool();
  let turns = 0;
  const timer = setInterval(() => turns++, 1);
  const picture = noise(512);
  turns = 0;
  await pool.compare(picture, picture, VARIANTS);
  clearInterval(timer);
  await pool.close();
  assert.ok(turns > 10, String(turns));
});

test('pictures of two sizes are refused, and the next pair is compared all the same', async () => {
  const pool = new FigurePool();
  await rejects(pool.compare(noise(8), noise(16), VARIANTS), 'BAD_ARGUMENT', /8x8 and 16x16/);
  assert.is((await pool.compare(noise(16), noise(16), VARIANTS)).psnr > 0, true);
  await pool.close();
});

test('closing ends what runs and what waits, and nothing begins after it', async () => {
  const pool = new FigurePool();
  const running = Array.from({ length: 6 }, () => pool.compare(noise(256), noise(256), VARIANTS));
  const settled = Promise.allSettled(running);
  // Then another has begun, and one at least still waits: there are no more than four threads.
  await Promise.race(running);
  await pool.close();
  assert.is((await settled).filter(({ status }) => status === 'rejected').length, 5);
  const late = await pool.compare(noise(8), noise(8), VARIANTS).catch((error) => error);
  assert.is(late.name, 'AbortError');
});

test.run();
