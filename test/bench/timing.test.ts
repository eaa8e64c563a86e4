import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { repeat, summarizeTimes } from '../../ts/bench/timing.js';

test('times are summarized by rank, not by mean: one outlier moves the maximum only', () => {
  const times = summarizeTimes([10, 11, 12, 13, 500]);
  assert.is(times.median, 12);
  assert.is(times.max, 500);
  assert.is(times.min, 10);
  assert.ok(times.p99 > 400 && times.p99 < 500);
  assert.ok(Math.abs(times.spread - 1 / 12) < 1e-12);
});

test('warm-up runs are not counted', async () => {
  let calls = 0;
  const times = await repeat(async () => void calls++, { warmup: 3, runs: 4, seconds: 0 });
  assert.is(times.length, 4);
  assert.is(calls, 7);
});

test('runs go on until their time is over', async () => {
  const wait = () => new Promise((resolve) => setTimeout(resolve, 5));
  const began = performance.now();
  await repeat(wait, { warmup: 0, runs: 1, seconds: 0.05 });
  assert.ok(performance.now() - began >= 50);
});

test.run();
