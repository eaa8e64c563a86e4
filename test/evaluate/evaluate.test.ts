import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { bootstrap, compareScores } from '../../ts/evaluate/compare.js';
import type { DataSet, LazySample } from '../../ts/evaluate/data-set.js';
import { evaluate, scoreKey, summarize } from '../../ts/evaluate/evaluate.js';
import { blend, type Method, nearest } from '../../ts/evaluate/methods.js';
import { prepare } from '../../ts/evaluate/prepare.js';
import type { Measurement } from '../../ts/evaluate/protocol.js';

const SIZE = { width: 16, height: 16 };
const grey = (value: number) => ({ ...SIZE, data: new Uint8Array(16 * 16 * 3).fill(value) });

const measurement: Measurement = {
  name: 'greys',
  title: 'Greys',
  preparation: { kind: 'none' },
  psnr: 'flavr',
  ssim: 'matlab3d',
  source: 'this test',
};

/** A sample of grey frames by their levels; level 13 cannot be read. */
function sample(id: string, inputs: number[], targets: number[]): LazySample {
  const read = (level: number) => {
    if (level === 13) throw new Error('13 cannot be read');
    return grey(level);
  };
  const load = async () => ({ window: inputs.map(read), truth: targets.map(read) });
  return { id, sequence: id, repeated: 0, load };
}

const setOf = (samples: readonly LazySample[]): DataSet => ({
  measurement,
  factor: 2,
  inputs: 4,
  count: samples.length,
  async *samples() {
    yield* samples;
  },
});
const near = (actual: number, expected: number) =>
  assert.ok(Math.abs(actual - expected) < 1e-4, `${actual}, ${expected}`);

test('the blend and the nearest frame are measured against the truth of the middle gap', async () => {
  const samples = [sample('a', [0, 100, 200, 250], [151])];
  const [mixed, copied] = await evaluate(setOf(samples), [blend, nearest]);
  near(mixed!.psnr, -10 * Math.log10((1 / 255) ** 2 + 1e-8));
  near(copied!.psnr, -10 * Math.log10((51 / 255) ** 2 + 1e-8));
});

test('with several instants, each is measured by itself; the nearest frame switches after the middle', async () => {
  const samples = [sample('a', [0, 100, 200, 250], [100, 100, 200])];
  const [copied] = await evaluate(setOf(samples), [nearest]);
  assert.equal(copied!.psnrByIndex, [80, 80, 80]);
  const [mixed] = await evaluate(setOf(samples), [blend]);
  near(mixed!.psnrByIndex[0]!, -10 * Math.log10((25 / 255) ** 2 + 1e-8));
  near(mixed!.psnrByIndex[1]!, -10 * Math.log10((50 / 255) ** 2 + 1e-8));
});

test('means are over the frames of a sample first, then over samples; infinite figures are counted, not averaged', () => {
  const score = (id: string, psnr: number[]) => ({ id, sequence: id, repeated: 0, psnr, ssim: psnr.map(() => 1) });
  const infinite = Number.POSITIVE_INFINITY;
  const total = summarize(
    'm',
    [score('a', [30, 34]), score('b', [40, infinite]), score('c', [infinite, infinite])],
    [],
  );
  near(total.psnr, 36);
  assert.is(total.exact, 3);
  assert.equal(total.psnrByIndex, [35, 34]);
});

test('a set without samples says what one takes', async () => {
  const failure = await evaluate(setOf([]), [nearest]).catch((e) => e);
  assert.is(failure.code, 'DATASET_INVALID');
  assert.match(failure.message, /with k = 2, one takes at least 3 frames/);
});

test('a bad sample is reported and the others are measured', async () => {
  const samples = [sample('bad', [0, 13, 0, 0], [0]), sample('good', [0, 10, 10, 0], [10])];
  const [score] = await evaluate(setOf(samples), [blend]);
  assert.equal(score!.failed, [{ id: 'bad', message: '13 cannot be read' }]);
  assert.is(score!.samples.length, 1);
  near(score!.psnr, 80);
});

test('a data set of which nothing can be measured is an error that shows the first reason', async () => {
  const failure = await evaluate(setOf([sample('bad', [13, 13, 13, 13], [0])]), [blend]).catch((e) => e);
  assert.is(failure.code, 'DATASET_INVALID');
  assert.match(failure.message, /bad: 13 cannot be read/);
});

test('known scores are taken over and their frames not read again', async () => {
  const samples = [sample('a', [13, 13, 13, 13], [13]), sample('b', [0, 10, 10, 0], [10])];
  const known = new Map([[scoreKey(blend, 'a'), { id: 'a', sequence: 'a', repeated: 0, psnr: [20], ssim: [0.5] }]]);
  const fresh: string[] = [];
  const [score] = await evaluate(setOf(samples), [blend], { known, onScore: (_, { id }) => fresh.push(id) });
  assert.equal(fresh, ['b']);
  assert.is(score!.failed.length, 0);
  near(score!.psnr, 50);
});

test('a score that cannot be kept ends the run: it is no bad sample', async () => {
  const onScore = () => {
    throw new Error('disk full');
  };
  const failure = await evaluate(setOf([sample('a', [0, 1, 2, 3], [1])]), [nearest], { onScore }).catch((e) => e);
  assert.is(failure.message, 'disk full');
});

test('an aborted run stops before its next sample', async () => {
  const controller = new AbortController();
  const stopping: Method = {
    ...nearest,
    interpolate(window, factor) {
      controller.abort();
      return nearest.interpolate(window, factor);
    },
  };
  const samples = [sample('a', [0, 1, 2, 3], [1]), sample('b', [0, 1, 2, 3], [1])];
  const failure = await evaluate(setOf(samples), [stopping], { signal: controller.signal }).catch((e) => e);
  assert.is(failure.code, 'ABORTED');
});

test('an abort does not wait for the window that runs', async () => {
  const controller = new AbortController();
  const endless: Method = {
    ...nearest,
    interpolate() {
      queueMicrotask(() => controller.abort());
      return new Promise(() => {});
    },
  };
  const samples = [sample('a', [0, 1, 2, 3], [1])];
  const failure = await evaluate(setOf(samples), [endless], { signal: controller.signal }).catch((e) => e);
  assert.is(failure.code, 'ABORTED');
});

test('paired differences see through samples of unequal difficulty', () => {
  const score = (id: string, psnr: number) => ({ id, sequence: id, repeated: 0, psnr: [psnr], ssim: [0.9] });
  const levels = Array.from({ length: 40 }, (_, i) => 20 + i);
  const a = summarize(
    'a',
    levels.map((level, i) => score(`${i}`, level + 0.5 + 0.01 * (i % 3))),
    [],
  );
  const b = summarize('b', [...levels.map((level, i) => score(`${i}`, level)), score('only b', 99)], []);
  const { samples, psnr } = compareScores(a, b);
  assert.is(samples, 40);
  assert.ok(psnr.low > 0.5 && psnr.low < psnr.mean && psnr.mean < psnr.high && psnr.high < 0.52);
  const values = [[1], [2], [3], [5], [8], [13]];
  assert.equal(bootstrap(values), bootstrap(values));
});

test('of fewer than six sequences, or samples of one, there is no interval', () => {
  const spread = (count: number) => Array.from({ length: count }, (_, i) => i);
  for (const groups of [spread(5).map((i) => [i, i]), [spread(5)]]) {
    const { mean, low, high } = bootstrap(groups);
    assert.equal([mean, low, high], [2, Number.NaN, Number.NaN]);
  }
  for (const groups of [spread(6).map((i) => [i]), [spread(6)]])
    assert.ok(bootstrap(groups).low < bootstrap(groups).high);
});

test('many samples of few sequences tell less than as many of many sequences', () => {
  const score = (id: string, sequence: string, psnr: number) => ({
    id,
    sequence,
    repeated: 0,
    psnr: [psnr],
    ssim: [1],
  });
  const difference = (i: number) => (i % 8) - 3.5;
  const compared = (sequence: (i: number) => string) => {
    const of = (psnr: (i: number) => number) =>
      summarize(
        'm',
        Array.from({ length: 160 }, (_, i) => score(`${i}`, sequence(i), psnr(i))),
        [],
      );
    return compareScores(
      of((i) => 30 + difference(i)),
      of(() => 30),
    );
  };
  const width = ({ psnr }: ReturnType<typeof compared>) => psnr.high - psnr.low;
  const [few, many, one] = [compared((i) => `clip ${i % 8}`), compared((i) => `clip ${i}`), compared(() => 'clip')];
  assert.equal([few.sequences, many.sequences, one.sequences], [8, 160, 1]);
  // The samples of a clip are alike here, so that 160 of 8 clips are worth 8.
  assert.ok(width(few) > 3 * width(many), `${width(few)}, ${width(many)}`);
  assert.is(width(one), width(many));
});

test('a centre crop takes the middle; a side that is too short stays', () => {
  const data = Uint8Array.from({ length: 4 * 2 * 3 }, (_, i) => Math.floor(i / 3));
  const crop = prepare({ data, width: 4, height: 2 }, { kind: 'centre-crop', width: 2, height: 8 });
  assert.equal([crop.width, crop.height], [2, 2]);
  assert.equal(
    [...crop.data].filter((_, i) => i % 3 === 0),
    [1, 2, 5, 6],
  );
});

test('halving averages blocks of four and rounds half upwards, as OpenCV does', () => {
  const values = [0, 1, 10, 20, 1, 0, 30, 42];
  const data = Uint8Array.from(values.flatMap((value) => [value, value, value]));
  const half = prepare({ data, width: 4, height: 2 }, { kind: 'halve' });
  assert.equal([half.width, half.height], [2, 1]);
  assert.equal([...half.data], [1, 1, 1, 26, 26, 26]);
  assert.throws(() => prepare({ data, width: 8, height: 1 }, { kind: 'halve' }), /even sides/);
});

test.run();
