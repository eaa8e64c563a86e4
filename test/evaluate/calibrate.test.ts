import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { calibrate } from '../../ts/evaluate/calibrate.js';
import { Histogram } from '../../ts/evaluate/histogram.js';
import { psnr } from '../../ts/evaluate/psnr.js';
import { Interpolator } from '../../ts/interpolator.js';
import { noiseFrames } from '../graph/support.js';
import { GOLDENS, readGolden } from '../support/goldens.js';
import { rejects } from '../support/rejects.js';

const tiny = `${GOLDENS}/tiny8-k2.weights.safetensors`;
const { frames, width, height } = await readGolden('tiny8-k2');
const window = frames.map((data) => ({ data, width, height }));

test('a histogram leaves out a share of the numbers at each end, whatever their order and size', () => {
  // 10,000 numbers from -1 to 3, with one far out on each side.
  const numbers = Float32Array.from({ length: 10_000 }, (_, i) => -1 + (4 * i) / 9999);
  const histogram = new Histogram();
  histogram.add(numbers.subarray(0, 3000));
  histogram.add(Float32Array.of(-50, 200));
  histogram.add(numbers.subarray(3000).toReversed());
  const all = histogram.range(0);
  assert.ok(all.min <= -50 && all.min > -51 && all.max >= 200 && all.max < 201, `${all.min} ${all.max}`);
  const most = histogram.range(2e-4);
  assert.ok(Math.abs(most.min + 1) < 0.1 && Math.abs(most.max - 3) < 0.1, `${most.min} ${most.max}`);
});

test('numbers on one side of zero have a range that ends there; none but zeros, an empty one', () => {
  const positive = new Histogram();
  positive.add(Float32Array.of(0, 1, 2));
  assert.is(Math.abs(positive.range(0).min), 0);
  const zeros = new Histogram();
  zeros.add(new Float32Array(100));
  assert.ok(zeros.range(0).max < 1e-9);
});

test('numbers that are not finite are refused', () => {
  for (const odd of [Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => new Histogram().add(Float32Array.of(odd, 1)), /not finite/);
  }
});

test("a calibration names the model's weights and is the same again on the same windows", async () => {
  const told: number[] = [];
  const once = await calibrate(tiny, [window, window], { threads: 2, onProgress: (n) => void told.push(n) });
  assert.equal(told, [1, 2]);
  assert.is(once.windows, 2);
  assert.is(once.hash.length, 64);
  const { ranges } = await calibrate(tiny, [window], { threads: 2 });
  assert.equal(ranges, once.ranges);
  // What comes behind a ReLU has no negative values.
  for (const [name, { min, max }] of ranges) {
    assert.ok(/\.relu$|stem/.test(name) && !name.startsWith('decoder') ? min === 0 : min <= 0, `${name} from ${min}`);
    assert.ok(max >= 0);
  }
});

test('windows may differ in size, and come one by one', async () => {
  async function* windows() {
    for (const [w, h] of [
      [16, 24],
      [32, 16],
    ] as const) {
      yield noiseFrames(4, h, w).map((data) => ({ data, width: w, height: h }));
    }
  }
  assert.is((await calibrate(tiny, windows(), { threads: 2 })).windows, 2);
});

test('refused: no window, too few frames, frames of two sizes, and a graph', async () => {
  await rejects(calibrate(tiny, []), 'BAD_ARGUMENT', /at least one window/);
  await rejects(calibrate(tiny, [window.slice(1)]), 'BAD_ARGUMENT', /has 4 frames; got 3/);
  const mixed = window.with(2, { data: new Uint8Array(48), width: 4, height: 4 });
  await rejects(calibrate(tiny, [mixed]), 'BAD_FRAME', /got one of 4x4 with 48 bytes/);
  await rejects(calibrate('test/fixtures/graph/exported-window.onnx', [window]), 'BAD_ARGUMENT', /needs a checkpoint/);
});

test('an abort ends it with ABORTED', async () => {
  const aborted = AbortSignal.abort();
  await rejects(calibrate(tiny, [window], { signal: aborted }), 'ABORTED');
  const controller = new AbortController();
  const endless = (function* () {
    for (;;) yield window;
  })();
  await rejects(
    calibrate(tiny, endless, { signal: controller.signal, onProgress: () => controller.abort() }),
    'ABORTED',
  );
});

test("an open int8 interpolator gives nearly fp32's frames, and refuses a calibration without int8", async () => {
  const calibration = await calibrate(tiny, [window], { threads: 2 });
  const common = { model: tiny, width, height, backend: 'cpu', threads: 2 } as const;
  await rejects(Interpolator.open({ ...common, calibration }), 'BAD_ARGUMENT', /for precision int8/);
  await rejects(Interpolator.open({ ...common, precision: 'int8' }), 'BAD_ARGUMENT', /flavr calibrate/);
  const clip = window.map(({ data }) => data);
  const made = async (options: object) => {
    await using flavr = await Interpolator.open({ ...common, ...options });
    return (await flavr.interpolate(clip, 2))[3]!;
  };
  const [float, bytes] = [await made({}), await made({ precision: 'int8', calibration })];
  assert.not.equal(float, bytes);
  const db = psnr({ data: bytes, width, height }, { data: float, width, height }, 'rounded');
  assert.ok(db > 40, `${db} dB`);
});

test.run();
