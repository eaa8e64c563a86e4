import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rational } from '../../ts/rational.js';
import { nearest, Timeline, ticksPerSecond, toTicks } from '../../ts/video/clock.js';

test('a clock counts every step in whole ticks', () => {
  assert.is(ticksPerSecond([]), 1n);
  assert.is(ticksPerSecond([rational(1001, 60_000), undefined, rational(1, 90_000)]), 180_000n);
  assert.is(ticksPerSecond([rational(1, 44_100), rational(1, 48_000), rational(1, 1000)]), 7_056_000n);
});

test('a clock stays within 31 bits, and fine enough for what does not fit', () => {
  assert.is(ticksPerSecond([rational(1, 90_000), rational(1, 2_147_483_629)]), 90_000n * 12n);
  assert.is(ticksPerSecond([rational(1, 10n ** 12n)]), 1_000_001n);
  assert.is(ticksPerSecond([rational(1, 5_000_000), rational(1, 10n ** 12n)]), 5_000_000n);
});

test('rounds to the nearest whole number, halves up', () => {
  for (const [num, den, whole] of [
    [7, 2, 4n],
    [10, 3, 3n],
    [-10, 3, -3n],
    [-7, 2, -3n],
    [-11, 3, -4n],
    [0, 1, 0n],
  ] as const) {
    assert.is(nearest(rational(num, den)), whole, `${num}/${den}`);
  }
});

test('rounds each time on its own', () => {
  const step = rational(1, 1000);
  const ticks = Array.from({ length: 7 }, (_, n) => toTicks(rational(n * 1001, 60_000), step));
  assert.equal(ticks, [0n, 17n, 33n, 50n, 67n, 83n, 100n]);
});

test('moves and stretches times, and knows what lies in the range', () => {
  const timeline = new Timeline({ origin: rational(2), start: rational(2), end: rational(5), slow: rational(3, 2) });
  assert.equal(timeline.toOutput(rational(4)), rational(3));
  assert.equal(timeline.scale(rational(1, 3)), rational(1, 2));
  assert.is(timeline.isBeforeStart(rational(199, 100)), true);
  assert.is(timeline.isBeforeStart(rational(2)), false);
  assert.is(timeline.isPastEnd(rational(5)), true);
  assert.is(timeline.isPastEnd(rational(499, 100)), false);
});

test.run();
