import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, rational, toNumber, ZERO } from '../../ts/rational.js';
import { readAhead } from '../../ts/video/read-ahead.js';
import { countFrames, cutRange, dateFrames, type Stamped } from '../../ts/video/timestamps.js';

const NOMINAL = rational(40);

async function* stamps(times: readonly (number | undefined)[], lastDuration?: number): AsyncGenerator<Stamped> {
  for (const [index, time] of times.entries()) {
    const last = index === times.length - 1;
    yield {
      time: time === undefined ? undefined : rational(time),
      duration: last && lastDuration !== undefined ? rational(lastDuration) : undefined,
    };
  }
}

async function dated(times: readonly (number | undefined)[], lastDuration?: number) {
  let repairs = 0;
  const frames = [];
  for await (const frame of dateFrames(stamps(times, lastDuration), NOMINAL, () => repairs++)) frames.push(frame);
  for (const [index, { time, duration }] of frames.entries()) {
    const next = frames[index + 1];
    if (next) assert.equal(add(time, duration), next.time, 'a duration reaches to the next frame');
  }
  const last = frames.at(-1);
  return { times: frames.map(({ time }) => toNumber(time)), last: last && toNumber(last.duration), repairs };
}

test('good times pass; the last frame lasts as long as the source says, else as the one before it, else nominally', async () => {
  assert.equal(await dated([0, 40, 100]), { times: [0, 40, 100], last: 60, repairs: 0 });
  assert.equal(await dated([0, 40, 100], 25), { times: [0, 40, 100], last: 25, repairs: 0 });
  assert.equal(await dated([7]), { times: [7], last: 40, repairs: 0 });
  assert.equal(await dated([]), { times: [], last: undefined, repairs: 0 });
});

test('missing, doubled and backward times are spread evenly between the good ones', async () => {
  assert.equal((await dated([0, undefined, 80])).times, [0, 40, 80]);
  assert.equal((await dated([0, 0, 0, 90])).times, [0, 30, 60, 90]);
  assert.equal((await dated([0, 40, 20, 120, 160])).times, [0, 40, 80, 120, 160]);
  assert.is((await dated([0, 40, 20, 120, 160])).repairs, 1);
});

test('bad times at the end go on at the last pace', async () => {
  assert.equal((await dated([0, 50, undefined, 20])).times, [0, 50, 100, 150]);
});

test('after a clock that is set back, time goes on from where it was', async () => {
  const times = [1000, 1040, 1080, ...Array.from({ length: 10 }, (_, i) => i * 40)];
  assert.equal(
    (await dated(times)).times,
    Array.from({ length: 13 }, (_, i) => 1000 + i * 40),
  );
});

test('times increase strictly whatever comes in', async () => {
  let seed = 1;
  for (let round = 0; round < 200; round++) {
    const input = Array.from({ length: 12 }, () => {
      seed = (seed * 1103515245 + 12345) & 0x7fffffff;
      return seed % 5 === 0 ? undefined : (seed >> 8) % 200;
    });
    const { times } = await dated([0, ...input]);
    assert.is(times.length, 13);
    for (let i = 1; i < times.length; i++) assert.ok(times[i]! > times[i - 1]!, `${input} gave ${times}`);
  }
});

test('counted frames are exact after hours', async () => {
  async function* one() {
    yield { time: rational(5), duration: undefined };
  }
  const rate = rational(30000, 1001);
  const { value } = await countFrames(one(), rate, 1_000_000).next();
  assert.equal(value, { time: rational(1_000_000n * 1001n, 30000n), duration: rational(1001, 30000) });
});

test('a range takes what begins in it and cuts the last frame to its end', async () => {
  const frames = dateFrames(stamps([0, 40, 80, 120, 160]), NOMINAL, () => {});
  const inside = [];
  for await (const { time, duration } of cutRange(frames, rational(30), rational(100))) {
    inside.push([toNumber(time), toNumber(duration)]);
  }
  assert.equal(inside, [
    [40, 40],
    [80, 20],
  ]);
});

test('a range without end takes all that follows', async () => {
  const frames = dateFrames(stamps([0, 40, 80]), NOMINAL, () => {});
  let count = 0;
  for await (const _ of cutRange(frames, ZERO, undefined)) count++;
  assert.is(count, 3);
});

test('reading ahead keeps the order and asks for no more than it may', async () => {
  let made = 0;
  async function* numbers() {
    while (made < 10) yield made++;
  }
  const seen: number[] = [];
  for await (const number of readAhead(numbers(), 2)) {
    await new Promise((resolve) => setImmediate(resolve));
    seen.push(number);
    assert.ok(made <= number + 3, `${made} made when ${number} came`);
  }
  assert.equal(seen, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test('a failure comes in its turn, and leaving early ends the source', async () => {
  let ended = false;
  async function* failing() {
    try {
      yield 0;
      yield 1;
      throw new Error('broken');
    } finally {
      ended = true;
    }
  }
  const seen: unknown[] = [];
  try {
    for await (const number of readAhead(failing(), 3)) seen.push(number);
  } catch (error) {
    seen.push((error as Error).message);
  }
  assert.equal(seen, [0, 1, 'broken']);
  ended = false;
  for await (const _ of readAhead(failing(), 1)) break;
  assert.ok(ended);
});

test.run();
