import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { passesFor, supportedFactors } from '../../ts/factors.js';
import type { Frame } from '../../ts/frame.js';
import { Interpolator } from '../../ts/interpolator.js';
import type { OpenOptions, TimedFrame, TimedOutput } from '../../ts/options.js';
import { add, compare, multiply, type Rational, rational, subtract } from '../../ts/rational.js';
import { type FakeSession, fakeBackend, fakeModel } from '../support/fake-backend.js';
import { Random } from '../support/random.js';
import { wholeClip } from '../support/whole-clip.js';

const SIZE = { width: 4, height: 2 };
const BYTES = 24;

interface Case {
  readonly random: Random;
  readonly factor: number;
  readonly half: number;
  readonly clip: readonly Frame[];
  readonly cuts: readonly number[];
  readonly flavr: Interpolator;
  readonly session: FakeSession;
}

const randomFrame = (random: Random): Frame => Uint8Array.from({ length: BYTES }, () => random.int(0, 255));

async function randomCase(seed: number, options: Partial<OpenOptions> = {}): Promise<Case> {
  const random = new Random(seed);
  const factor = random.pick([2, 2, 3, 4, 6, 8]);
  const half = random.int(1, 3);
  const clip = Array.from({ length: random.int(0, 12) }, () => randomFrame(random));
  const cuts = clip.map((_, i) => i).filter((i) => i > 0 && random.chance(0.2));
  const slow = random.chance(0.5);
  const pace = async () => {
    if (slow && random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
  };
  const backend = fakeBackend({ pace });
  const flavr = await Interpolator.openOn(backend, fakeModel(factor, 2 * half), {
    ...SIZE,
    batch: random.int(1, 4),
    inFlight: random.int(1, 3),
    maxActive: random.int(1, 3),
    ...options,
  });
  return { random, factor, half, clip, cuts, flavr, session: backend.sessions[0]! };
}

/** k up to 16 or so: larger ones add time and no cases. */
const someFactor = (random: Random, factor: number) =>
  random.pick([1, ...supportedFactors(factor).filter((k) => k <= 16)]);

function equalFrames(actual: readonly Frame[], expected: readonly Frame[], what: string): void {
  assert.is(actual.length, expected.length, `${what}: number of frames`);
  for (const [i, frame] of actual.entries()) {
    if (Buffer.compare(frame, expected[i]!) !== 0) assert.unreachable(`${what}: frame ${i} shows something else`);
  }
}

/** A consumer that uses a frame's memory again as soon as it may. */
class Reuse {
  readonly #flavr: Interpolator;
  /** Release each time a frame comes out, or overwrite it after the last time and release it as often as it came. */
  readonly #eager: boolean;
  #last: { frame: Frame; times: number } | undefined;

  constructor({ flavr, random }: Pick<Case, 'flavr' | 'random'>) {
    this.#flavr = flavr;
    this.#eager = random.chance(0.5);
  }

  cameOut(frame: Frame): void {
    if (this.#eager) this.#flavr.release(frame);
    else if (this.#last?.frame === frame) this.#last.times++;
    else {
      this.end();
      this.#last = { frame, times: 1 };
    }
  }

  end(): void {
    if (!this.#last) return;
    const { frame, times } = this.#last;
    frame.fill(0x55);
    for (let i = 0; i < times; i++) this.#flavr.release(frame);
  }
}

async function closed({ flavr, session }: Case, what: string): Promise<void> {
  await flavr.dispose();
  assert.is(session.openLanes, 0, `${what}: lanes left open`);
}

test('any clip, cuts and factor: every frame is what whole-clip interpolation has there, originals are the same objects', async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const what = `seed ${seed}`;
    const c = await randomCase(seed);
    const k = someFactor(c.random, c.factor);
    const expected = wholeClip(c.clip, k, passesFor(c.factor, k), c.half, c.cuts);
    const frames = await c.flavr.interpolate(c.clip, k, { cuts: c.cuts });
    assert.is(frames.length, c.clip.length === 0 ? 0 : (c.clip.length - 1) * k + 1, what);
    equalFrames(frames, expected, what);
    for (const [i, frame] of c.clip.entries()) assert.is(frames[i * k], frame, `${what}: original ${i}`);
    await closed(c, what);
  }
});

test('a stream gives the same, though frames are overwritten and released as soon as they have come out', async () => {
  for (let seed = 1; seed <= 300; seed++) {
    const what = `seed ${seed}`;
    const c = await randomCase(seed, { copyInput: seed % 3 === 0 });
    const { clip, cuts, factor, half, flavr, random, session } = c;
    const k = someFactor(random, factor);
    const expected = wholeClip(clip, k, passesFor(factor, k), half, cuts);
    const owned = random.chance(0.5);
    async function* source() {
      for (const frame of clip) {
        const handedIn = owned ? flavr.allocFrame() : new Uint8Array(BYTES);
        handedIn.set(frame);
        yield handedIn;
        if (seed % 3 === 0) handedIn.fill(random.int(0, 255));
        if (random.chance(0.2)) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const seen: Frame[] = [];
    const reuse = new Reuse(c);
    for await (const frame of flavr.stream(source(), k, { cuts })) {
      seen.push(frame.slice());
      reuse.cameOut(frame);
    }
    reuse.end();
    equalFrames(seen, expected, what);
    await closed(c, what);
    // What copyInput leaves lent is what the source itself took by allocFrame.
    const sources = owned && seed % 3 === 0 ? clip.length : 0;
    assert.is(session.stats().framesLent, sources, `${what}: frames not given back`);
    // The first frame of a shot may fill the gap before it: it comes out before anything is known of its windows.
    assert.ok(session.copies <= cuts.length, `${what}: ${session.copies} copies for ${cuts.length} cuts`);
  }
});

/** The rule for target rates, written out: all instants of all gaps, then the nearest to each output. */
function atRate(
  clip: readonly TimedFrame[],
  cuts: readonly number[],
  rate: Rational,
  { factor, half }: Pick<Case, 'factor' | 'half'>,
): { data: Frame; time: Rational }[] {
  const frames = clip.map(({ data }) => data);
  const instants: { data: Frame; time: Rational }[] = [];
  for (let i = 0; i + 1 < clip.length; i++) {
    const start = clip[i]!.time;
    const length = subtract(clip[i + 1]!.time, start);
    const factors = [1, ...supportedFactors(factor)];
    const k = factors.find((f) => compare(multiply(length, rate), rational(f)) <= 0) ?? factors.at(-1)!;
    const all = wholeClip(frames, k, passesFor(factor, k), half, cuts);
    for (let j = 0; j < k; j++) {
      instants.push({ data: all[i * k + j]!, time: add(start, multiply(length, rational(j, k))) });
    }
  }
  const last = clip.at(-1)!;
  instants.push({ data: last.data, time: last.time });
  const end = add(last.time, last.duration!);
  const outputs: { data: Frame; time: Rational }[] = [];
  for (let n = 0; ; n++) {
    const time = add(clip[0]!.time, rational(BigInt(n) * rate.den, rate.num));
    if (compare(time, end) >= 0) return outputs;
    const distance = (t: Rational) => (compare(t, time) < 0 ? subtract(time, t) : subtract(t, time));
    let nearest = instants[0]!;
    for (const instant of instants) if (compare(distance(instant.time), distance(nearest.time)) < 0) nearest = instant;
    outputs.push({ data: nearest.data, time });
  }
}

test('a target rate takes the nearest instant of each gap, for irregular times, and runs no window for nothing', async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const what = `seed ${seed}`;
    const c = await randomCase(seed);
    const { random } = c;
    if (c.clip.length === 0) continue;
    let time = rational(random.int(-50, 50), random.int(1, 30));
    const clip = c.clip.map((data, i): TimedFrame => {
      const duration = rational(random.int(1, 8), random.pick([24, 25, 30, 60]));
      const frame = { data, time, duration, cut: c.cuts.includes(i) };
      time = add(time, duration);
      return frame;
    });
    const rate = rational(random.int(1, 120), random.pick([1, 2, 3, 1001]));
    if (compare(rate, rational(1)) < 0) continue;
    const expected = atRate(clip, c.cuts, rate, c);
    const outputs: TimedOutput[] = [];
    const handedIn = clip.map((frame) => ({ ...frame, data: frame.data.slice() }));
    async function* source() {
      for (const frame of handedIn) {
        yield frame;
        if (random.chance(0.5)) await new Promise((resolve) => setImmediate(resolve));
      }
    }
    const reuse = new Reuse(c);
    for await (const output of c.flavr.streamTimed(source(), { fps: rate })) {
      assert.is(
        output.original,
        handedIn.some(({ data }) => data === output.data),
        what,
      );
      outputs.push({ ...output, data: output.data.slice() });
      reuse.cameOut(output.data);
    }
    equalFrames(
      outputs.map(({ data }) => data),
      expected.map(({ data }) => data),
      what,
    );
    for (const [n, output] of outputs.entries()) {
      assert.is(output.index, n, what);
      assert.is(compare(output.time, expected[n]!.time), 0, `${what}: time of output ${n}`);
    }
    if (outputs.every(({ original }) => original)) assert.is(c.session.batches.length, 0, `${what}: needless windows`);
    await closed(c, what);
  }
});

test('with a factor, new frames lie evenly between their neighbours and the last keeps its duration', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const c = await randomCase(seed);
    const { random } = c;
    const k = someFactor(random, c.factor);
    let time = rational(random.int(0, 50), 7);
    const clip = c.clip.map((data): TimedFrame => {
      const duration = rational(random.int(1, 9), 30);
      const frame = { data, time, duration };
      time = add(time, duration);
      return frame;
    });
    let end = clip[0]?.time;
    let index = 0;
    for await (const output of c.flavr.streamTimed(clip, { k })) {
      const { time: start, duration } = clip[Math.floor(index / k)]!;
      const offset = multiply(duration!, rational(index % k, k));
      assert.is(compare(output.time, add(start, offset)), 0);
      assert.is(compare(output.position, rational(index, k)), 0);
      assert.is(compare(output.time, end!), 0, 'outputs follow one another without a hole');
      end = add(output.time, output.duration);
      index++;
    }
    if (end) assert.is(compare(end, time), 0, 'the total is the source’s');
    await closed(c, `seed ${seed}`);
  }
});

test('a cut may be given by index, by the frame itself or by a function', async () => {
  const clip = [10, 20, 200, 210].map((value) => new Uint8Array(BYTES).fill(value));
  const expected = wholeClip(clip, 4, [4], 2, [2]);
  const flavr = await Interpolator.openOn(fakeBackend(), fakeModel(4, 4), SIZE);
  equalFrames(await flavr.interpolate(clip, 4, { cuts: [2] }), expected, 'by index');
  const byTest = (before: Frame, after: Frame) => Math.abs(before[0]! - after[0]!) > 50;
  equalFrames(await flavr.interpolate(clip, 4, { cuts: byTest }), expected, 'by a function');
  const timed = clip.map((data, i) => ({ data, time: rational(i), cut: i === 2 }));
  const outputs: Frame[] = [];
  for await (const { data } of flavr.streamTimed(timed, { k: 4 })) outputs.push(data);
  equalFrames(outputs, expected, 'by the frame');
  await flavr.dispose();
});

test('several streams at a time share batches and each gets its own frames', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const c = await randomCase(seed, { batch: 4, maxActive: 2 });
    const jobs = Array.from({ length: 5 }, () => {
      const clip = Array.from({ length: c.random.int(0, 8) }, () => randomFrame(c.random));
      return { clip, k: someFactor(c.random, c.factor) };
    });
    const results = await Promise.all(jobs.map(({ clip, k }) => c.flavr.interpolate(clip, k)));
    for (const [i, { clip, k }] of jobs.entries()) {
      equalFrames(results[i]!, wholeClip(clip, k, passesFor(c.factor, k), c.half, []), `seed ${seed}, clip ${i}`);
    }
    await closed(c, `seed ${seed}`);
  }
});

test('abort at any point settles once, with ABORTED, and leaves nothing behind', async () => {
  for (let seed = 1; seed <= 200; seed++) {
    const what = `seed ${seed}`;
    const c = await randomCase(seed);
    const { random, flavr, session } = c;
    const k = someFactor(random, c.factor);
    const controller = new AbortController();
    const abortAfter = random.int(0, 20);
    let pulled = 0;
    let left = false;
    function* source() {
      try {
        for (;;) {
          if (pulled++ === abortAfter) controller.abort();
          yield randomFrame(random);
        }
      } finally {
        left = true;
      }
    }
    try {
      for await (const frame of flavr.stream(source(), k, { signal: controller.signal })) flavr.release(frame);
      assert.unreachable(`${what}: an endless source ended`);
    } catch (error) {
      assert.is((error as { code?: string }).code, 'ABORTED', `${what}: ${error}`);
    }
    assert.ok(left, `${what}: the source was not closed`);
    await closed(c, what);
    assert.is(session.stats().framesLent, 0, `${what}: frames not given back`);
  }
});

test.run();
