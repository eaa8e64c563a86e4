import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Frame } from '../../ts/frame.js';
import { Interpolator } from '../../ts/interpolator.js';
import type { WeightsModel } from '../../ts/model/config.js';
import { loadModel } from '../../ts/model/load.js';
import type { OpenOptions } from '../../ts/options.js';
import { ruleModel } from '../graph/support.js';
import { GOLDENS, readGolden } from '../support/goldens.js';
import { Random } from '../support/random.js';
import { failure, rejects } from '../support/rejects.js';

const open = (options: OpenOptions) => Interpolator.open({ backend: 'cpu', threads: 2, ...options });

function noise(width: number, height: number, frames: number, seed = 1): Frame[] {
  const random = new Random(seed);
  return Array.from({ length: frames }, () =>
    Uint8Array.from({ length: width * height * 3 }, () => random.int(0, 255)),
  );
}

/** The golden's outputs as frames: clamped, in bytes, rgb24. */
function goldenFrames({ outputs, width, height }: Awaited<ReturnType<typeof readGolden>>): Frame[] {
  const pixels = width * height;
  return Array.from({ length: outputs.shape[0]! }, (_, n) =>
    Uint8Array.from({ length: pixels * 3 }, (_, i) => {
      const value = outputs.data[(n * 3 + (i % 3)) * pixels + Math.floor(i / 3)]!;
      return Math.round(Math.min(1, Math.max(0, value)) * 255);
    }),
  );
}

/** At most 1 apart in any byte, and that in at most 0.1 % of them. */
function nearlyEqual(actual: readonly Frame[], expected: readonly Frame[], what: string): void {
  assert.is(actual.length, expected.length, what);
  let apart = 0;
  let bytes = 0;
  for (const [n, frame] of actual.entries()) {
    for (const [i, value] of frame.entries()) {
      const difference = Math.abs(value - expected[n]![i]!);
      assert.ok(difference <= 1, `${what}: frame ${n}, byte ${i}: ${value} for ${expected[n]![i]}`);
      apart += difference;
    }
    bytes += frame.length;
  }
  assert.ok(apart <= bytes / 1000, `${what}: ${apart} of ${bytes} bytes differ`);
}

for (const [name, k] of [
  ['tiny8-k2', 2],
  ['tiny8-k8', 8],
] as const) {
  for (const lowering of ['2d', '3d', 'winograd'] as const) {
    test(`${name}, ${lowering}: the middle gap is the official output`, async () => {
      const golden = await readGolden(name);
      const { width, height } = golden;
      const flavr = await open({ model: `${GOLDENS}/${name}.weights.safetensors`, width, height, lowering });
      const frames = await flavr.interpolate(golden.frames, k);
      nearlyEqual(frames.slice(k + 1, 2 * k), goldenFrames(golden), name);
      await flavr.dispose();
    });
  }
}

test('a divisor of the model’s factor takes every so many of its outputs', async () => {
  const model = await loadModel(`${GOLDENS}/tiny8-k8.weights.safetensors`);
  const flavr = await open({ model, width: 40, height: 24, k: [8, 4, 2] });
  const clip = noise(40, 24, 3);
  const all = await flavr.interpolate(clip, 8);
  for (const k of [2, 4]) {
    const some = await flavr.interpolate(clip, k);
    nearlyEqual(
      some,
      all.filter((_, i) => i % (8 / k) === 0),
      `k = ${k}`,
    );
  }
  await flavr.dispose();
});

test('graphs that are fed with the same weights give the same frames', async () => {
  const flavr = await open({ model: 'mini-8x', width: 40, height: 24, k: 8 });
  const alone = flavr.stats().memoryBytes;
  const clip = noise(40, 24, 3);
  const all = await flavr.interpolate(clip, 8);
  const some = await flavr.interpolate(clip, 4);
  nearlyEqual(
    some,
    all.filter((_, i) => i % 2 === 0),
    'k = 4',
  );
  assert.ok(flavr.stats().memoryBytes < 2 * alone);
  await flavr.dispose();
});

test('several passes run over the rounded frames of the pass before', async () => {
  const flavr = await open({ width: 32, height: 24 });
  const clip = noise(32, 24, 4);
  const once = await flavr.interpolate(clip, 2);
  const twice = await flavr.interpolate(once, 2);
  const four = await flavr.interpolate(clip, 4);
  assert.is(four.length, 13);
  for (const [i, frame] of four.entries()) assert.ok(Buffer.compare(frame, twice[i]!) === 0, `frame ${i}`);
  await flavr.dispose();
});

test('odd sizes and single pixels go in and come out at their own size', async () => {
  for (const [width, height] of [
    [53, 37],
    [1, 1],
  ] as const) {
    const flavr = await open({ width, height });
    const clip = noise(width, height, 3);
    const frames = await flavr.interpolate(clip, 2);
    assert.is(frames.length, 5);
    for (const frame of frames) assert.is(frame.length, width * height * 3);
    assert.is(frames[2], clip[1]);
    await flavr.dispose();
  }
});

test('a still clip stays still', async () => {
  const flavr = await open({ width: 64, height: 48 });
  const still = new Uint8Array(64 * 48 * 3).fill(128);
  for (const frame of await flavr.interpolate([still, still, still], 2)) {
    assert.ok(
      frame.every((value) => Math.abs(value - 128) <= 2),
      'a flat grey clip is not grey',
    );
  }
  await flavr.dispose();
});

test('batches, calls side by side and released frames give the same as one call alone', async () => {
  const clips = [noise(24, 16, 5, 1), noise(24, 16, 4, 2), noise(24, 16, 3, 3)];
  const alone = await open({ width: 24, height: 16 });
  const expected: Frame[][] = [];
  for (const clip of clips) expected.push(await alone.interpolate(clip, 4));
  const shared = await open({ width: 24, height: 16, batch: 3, inFlight: 3 });
  const results = await Promise.all(
    clips.map(async (clip) => {
      const frames: Frame[] = [];
      for await (const frame of shared.stream(clip, 4)) {
        frames.push(frame.slice());
        shared.release(frame);
      }
      return frames;
    }),
  );
  for (const [c, frames] of results.entries()) {
    for (const [i, frame] of frames.entries()) assert.ok(Buffer.compare(frame, expected[c]![i]!) === 0, `${c}: ${i}`);
  }
  assert.is(shared.stats().framesLent, 0);
  await Promise.all([alone.dispose(), shared.dispose()]);
});

test('values that are not finite are NUMERIC_FAILURE, and the session goes on', async () => {
  const model = (await loadModel('mini-2x')) as WeightsModel;
  const tensors = new Map(model.tensors);
  const [name, tensor] = [...tensors].find(([, { shape }]) => shape.length === 5)!;
  tensors.set(name, { shape: tensor.shape, data: tensor.data.map(() => 3e38) });
  const flavr = await open({ model: { ...model, tensors }, width: 16, height: 16 });
  await rejects(flavr.interpolate(noise(16, 16, 2), 2), 'NUMERIC_FAILURE', /checkpoint/);
  await rejects(flavr.interpolate(noise(16, 16, 2), 2), 'NUMERIC_FAILURE');
  await flavr.dispose();
});

test('frames too large for the memory at hand are refused with the numbers and a size that fits', async () => {
  await rejects(open({ width: 16384, height: 16384 }), 'OUT_OF_MEMORY', /\d+ MiB for 16384x16384.* fits is \d+x\d+/);
});

test('tf32 is no precision of the CPU', async () => {
  await rejects(open({ width: 16, height: 16, precision: 'tf32' }), 'BAD_ARGUMENT', /fp32/);
});

/** Processes that this one started and that still run. */
function children(): number[] {
  const tasks = `/proc/${process.pid}/task`;
  return readdirSync(tasks)
    .flatMap((task) => readFileSync(`${tasks}/${task}/children`, 'utf8').trim().split(' '))
    .filter(Boolean)
    .map(Number);
}
const procTest = process.platform === 'linux' ? test : test.skip;
if (process.platform !== 'linux') console.log('SKIPPED tests of processes: they read /proc');

procTest('when its process dies, calls under way and later ones are INFERENCE_FAILED', async () => {
  const flavr = await open({ width: 64, height: 64 });
  const call = rejects(
    flavr.interpolate(noise(64, 64, 50), 2),
    'INFERENCE_FAILED',
    /SIGKILL.*memory.*Open the model again/,
  );
  for (const child of children()) process.kill(child, 'SIGKILL');
  await call;
  await rejects(flavr.interpolate(noise(64, 64, 3), 2), 'INFERENCE_FAILED');
  await flavr.dispose();
});

for (const [what, model, width, height, k] of [
  ['a wide network, whose weights are many', ruleModel(32), 64, 64, 2],
  ['a narrow network with large frames', 'mini-8x', 640, 360, 8],
] as const) {
  procTest(`${what}, takes no more memory than was reckoned`, async () => {
    const flavr = await open({ model, width, height });
    await flavr.interpolate(noise(width, height, 4), k);
    const status = readFileSync(`/proc/${children()[0]}/status`, 'utf8');
    const estimate = flavr.stats().memoryBytes;
    await flavr.dispose();
    const peak = Number(/^VmHWM:\s+(\d+) kB/m.exec(status)![1]) * 1024;
    const mib = (bytes: number) => Math.round(bytes / 2 ** 20);
    console.log(`NOTE ${what}: ${mib(peak)} MiB at the peak, ${mib(estimate)} reckoned`);
    assert.ok(peak <= estimate, `${mib(peak)} MiB for ${mib(estimate)} reckoned`);
  });
}

procTest('an opening that is aborted while weights are made leaves no process', async () => {
  const controller = new AbortController();
  const model = ruleModel(32);
  const [name, { shape, data }] = [...model.tensors].filter(([, tensor]) => tensor.shape.length === 5).at(-1)!;
  let running: number | undefined;
  const watched = {
    shape,
    get data() {
      running ??= children().length;
      controller.abort();
      return data;
    },
  };
  const tensors = new Map(model.tensors).set(name, watched);
  const { signal } = controller;
  await rejects(open({ model: { ...model, tensors }, width: 64, height: 64, signal }), 'ABORTED');
  assert.is(running, 1);
  assert.equal(children(), []);
});

procTest('opening, aborting and closing again and again leaves no process, no thread and no handle', async () => {
  const threads = () => readdirSync('/proc/self/task').length;
  const model = await loadModel('mini-2x');
  const round = async (n: number) => {
    const flavr = await open({ model, width: 32, height: 32 });
    const controller = new AbortController();
    const call = flavr.interpolate(noise(32, 32, 30), 2, { signal: controller.signal });
    setTimeout(() => controller.abort(), 5 * n);
    await rejects(call, 'ABORTED');
    await flavr.dispose();
  };
  await round(0);
  const before = threads();
  for (let n = 0; n < 5; n++) await round(n);
  assert.equal(children(), []);
  assert.ok(threads() <= before, `${threads()} threads, ${before} before`);
  // Handles close in the turn of the event loop after their owner said so.
  await new Promise((resolve) => setTimeout(resolve, 20));
  assert.not.ok(process.getActiveResourcesInfo().includes('ProcessWrap'));
});

procTest('an aborted opening rejects with ABORTED and leaves no process', async () => {
  const controller = new AbortController();
  const onProgress = () => controller.abort();
  await rejects(open({ width: 32, height: 32, signal: controller.signal, onProgress }), 'ABORTED');
  assert.equal(children(), []);
});

procTest('a callback that throws while a model is opened fails the opening and leaves no process', async () => {
  const oops = () => {
    throw new RangeError('oops');
  };
  for (const callbacks of [{ onNotice: oops }, { onNotice: () => {}, onProgress: oops }]) {
    const opening = Interpolator.open({ width: 16, height: 16, ...callbacks });
    assert.instance(await failure(opening), RangeError);
    assert.equal(children(), []);
  }
});

test('auto takes the CPU, says so once, and keeps the reasons', async () => {
  const notices: string[] = [];
  const flavr = await Interpolator.open({ width: 16, height: 16, onNotice: (sentence) => notices.push(sentence) });
  await flavr.interpolate(noise(16, 16, 2), 2);
  assert.is(flavr.backend, 'cpu');
  assert.is(notices.length, 1);
  assert.match(notices[0]!, /runs on the CPU.*flavr doctor/);
  assert.match(flavr.passedOver!, /^tensorrt.*: /);
  await flavr.dispose();
});

test('without onNotice it is a process warning, of which any number of openings make one', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  for (let i = 0; i < 3; i++) await (await Interpolator.open({ width: 16, height: 16 })).dispose();
  process.off('warning', note);
  assert.equal(
    warnings.map((warning) => (warning as { code?: string }).code),
    ['FLAVR_BACKEND'],
  );
});

test('a backend that is named and cannot run is an error, never another backend', async () => {
  await rejects(Interpolator.open({ width: 16, height: 16, backend: 'tensorrt' }), 'BACKEND_UNAVAILABLE');
});

test.run();
