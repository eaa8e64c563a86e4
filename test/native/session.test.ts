import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Backend } from '../../ts/backends/backend.js';
import { builtModel } from '../../ts/engine/built.js';
import { writeEngine } from '../../ts/engine/file.js';
import type { FlavrError } from '../../ts/errors.js';
import { passesFor, supportedFactors } from '../../ts/factors.js';
import type { Frame } from '../../ts/frame.js';
import { Interpolator } from '../../ts/interpolator.js';
import type { OpenOptions } from '../../ts/options.js';
import { fakeModel } from '../support/fake-backend.js';
import { Random } from '../support/random.js';
import { canSimulate, loadSimulator, simulatedBackend, simulatedOutput } from '../support/simulator.js';
import { wholeClip } from '../support/whole-clip.js';
import { engineOf, temporaryFolder } from './support.js';

if (!canSimulate) {
  console.log('SKIPPED sessions on the simulated device: there is no cmake on PATH');
  process.exit(0);
}

const addon = loadSimulator();
const { simulator } = addon;
const [WIDTH, HEIGHT] = [8, 3];
const BYTES = WIDTH * HEIGHT * 3;

const frameOf = (random: Random): Frame => Uint8Array.from({ length: BYTES }, () => random.int(0, 255));
const clipOf = (length: number, seed = 1): Frame[] => {
  const random = new Random(seed);
  return Array.from({ length }, () => frameOf(random));
};

const opened: Interpolator[] = [];

async function open(options: Partial<OpenOptions> = {}, backend: Backend = simulatedBackend(addon), factor = 2) {
  const size = { width: WIDTH, height: HEIGHT };
  const flavr = await Interpolator.openOn(backend, fakeModel(factor, 4), { ...size, ...options });
  opened.push(flavr);
  return flavr;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => '',
    (error: FlavrError) => error.code,
  );
}

function equalFrames(actual: readonly Frame[], expected: readonly Frame[], what: string): void {
  assert.is(actual.length, expected.length, `${what}: number of frames`);
  for (const [i, frame] of actual.entries()) {
    if (Buffer.compare(frame, expected[i]!) !== 0) assert.unreachable(`${what}: frame ${i} shows something else`);
  }
}

/** A test after which every session is disposed of, whatever happened, and nothing is left of them on the device. */
function deviceTest(name: string, run: () => Promise<void>): void {
  test(name, async () => {
    try {
      await run();
    } finally {
      for (const flavr of opened.splice(0)) await flavr.dispose();
    }
    await nothingLeft();
  });
}

/** Once the frames are collected. */
async function nothingLeft(): Promise<void> {
  for (let i = 0; i < 20 && simulator.gauges().pinnedAllocations > 0; i++) {
    globalThis.gc!();
    await nextTurn();
  }
  const { violations, upUs, computeUs, downUs, ...alive } = simulator.gauges();
  assert.equal(violations, []);
  assert.equal(
    alive,
    Object.fromEntries(Object.keys(alive).map((name) => [name, 0])),
    `stages were busy ${upUs}, ${computeUs}, ${downUs} us`,
  );
}

deviceTest('any clips at a time, cuts, factors and limits: every pixel proves its window', async () => {
  let checked = 0;
  for (let seed = 1; seed <= 120; seed++) {
    const random = new Random(seed);
    const factor = random.pick([2, 3, 4, 8]);
    simulator.set({ copyLatencyUs: random.pick([0, 0, 30]) });
    const limits = { batch: random.int(1, 4), inFlight: random.int(1, 3), maxActive: random.int(1, 3) };
    const backend = simulatedBackend(addon, { computeUs: random.pick([0, 0, 50]) });
    const flavr = await open({ ...limits, graphs: random.pick(['auto', 'off']) }, backend, factor);
    const k = random.pick([1, ...supportedFactors(factor).filter((each) => each <= 16)]);
    const calls = Array.from({ length: random.int(1, 4) }, async (_, n) => {
      const clip = clipOf(random.int(0, 10), seed * 10 + n);
      const cuts = clip.map((_frame, i) => i).filter((i) => i > 0 && random.chance(0.2));
      const frames = await flavr.interpolate(clip, k, { cuts });
      equalFrames(frames, wholeClip(clip, k, passesFor(factor, k), 2, cuts, simulatedOutput), `seed ${seed}`);
      checked += frames.length;
    });
    await Promise.all(calls);
    await flavr.dispose();
  }
  simulator.set({ copyLatencyUs: 0 });
  console.log(`NOTE ${checked} frames checked in 120 random sessions`);
});

deviceTest('a stream whose frames are overwritten and released at once gives the same frames', async () => {
  for (let seed = 1; seed <= 60; seed++) {
    const random = new Random(seed);
    const clip = clipOf(random.int(2, 12), seed);
    const flavr = await open({ batch: random.int(1, 3), inFlight: random.int(1, 3) });
    const owned = random.chance(0.5);
    const source = clip.map((frame) => {
      const handedIn = owned ? flavr.allocFrame() : new Uint8Array(BYTES);
      handedIn.set(frame);
      return handedIn;
    });
    const seen: Frame[] = [];
    for await (const frame of flavr.stream(source, 2)) {
      seen.push(frame.slice());
      frame.fill(0x55);
      flavr.release(frame);
    }
    equalFrames(seen, wholeClip(clip, 2, [2], 2, [], simulatedOutput), `seed ${seed}`);
    await flavr.dispose();
  }
});

deviceTest('calls aborted anywhere end with ABORTED, and the session serves the others', async () => {
  const backend = simulatedBackend(addon, { computeUs: 200 });
  const flavr = await open({ batch: 2, inFlight: 2 }, backend);
  const clip = clipOf(12);
  const expected = wholeClip(clip, 2, [2], 2, [], simulatedOutput);
  for (let seed = 1; seed <= 40; seed++) {
    const random = new Random(seed);
    const controller = new AbortController();
    const aborted = flavr.interpolate(clip, 2, { signal: controller.signal });
    const other = flavr.interpolate(clip, 2);
    setTimeout(() => controller.abort(), random.int(0, 4));
    assert.ok(['', 'ABORTED'].includes(await codeOf(aborted)));
    equalFrames(await other, expected, `seed ${seed}`);
  }
});

deviceTest(
  'no host copy for a frame from allocFrame and for a frame that comes out; one for a foreign frame',
  async () => {
    const flavr = await open();
    const owned = clipOf(5).map((frame) => {
      const handedIn = flavr.allocFrame();
      handedIn.set(frame);
      return handedIn;
    });
    await flavr.interpolate(owned, 2);
    assert.is(flavr.stats().hostCopiesIn, 0);
    await flavr.interpolate(clipOf(5), 2);
    assert.is(flavr.stats().hostCopiesIn, 5);
    assert.is(flavr.stats().hostCopiesOut, 0);
  },
);

deviceTest('copyInput copies each frame once, into memory that the device reads', async () => {
  const flavr = await open({ copyInput: true });
  const clip = clipOf(4);
  const call = flavr.interpolate(clip, 2);
  const expected = wholeClip(
    clip.map((frame) => frame.slice()),
    2,
    [2],
    2,
    [],
    simulatedOutput,
  );
  for (const frame of clip) frame.fill(0);
  equalFrames(await call, expected, 'copied');
});

deviceTest('who releases nothing gets ordinary memory with one copy each, and is never made to wait', async () => {
  const flavr = await open();
  const frames = await flavr.interpolate(clipOf(200), 2);
  const { hostCopiesOut, framesLent } = flavr.stats();
  assert.ok(framesLent >= 16);
  assert.is(hostCopiesOut, 199 - framesLent);
  equalFrames(frames, wholeClip(clipOf(200), 2, [2], 2, [], simulatedOutput), 'hoarded');
});

deviceTest('release detaches the frame and gives its memory to the next', async () => {
  const flavr = await open();
  const frame = flavr.allocFrame();
  const { framesLent } = flavr.stats();
  flavr.release(frame);
  assert.is(frame.byteLength, 0);
  assert.is(flavr.stats().framesLent, framesLent - 1);
  flavr.release(frame);
  flavr.release(new Uint8Array(BYTES));
  const again = flavr.allocFrame();
  flavr.release(again.subarray(3));
  assert.is(again.byteLength, BYTES, 'a part of a frame releases nothing');
});

deviceTest('frames outlive their interpolator', async () => {
  const flavr = await open();
  const clip = clipOf(3);
  const frames = await flavr.interpolate(clip, 2);
  await flavr.dispose();
  equalFrames(frames, wholeClip(clip, 2, [2], 2, [], simulatedOutput), 'after dispose');
  assert.is(simulator.gauges().deviceAllocations, 0);
  flavr.release(frames[1]!);
  assert.is(frames[1]!.byteLength, 0);
});

deviceTest('each fault has its code, and the session goes on where the device does', async () => {
  const flavr = await open();
  // One window: nothing of a failed call still runs when the next fault is set.
  const clip = clipOf(2);
  const attempt = () => codeOf(flavr.interpolate(clip, 2));
  assert.is(await attempt(), '');
  simulator.set({ launchFailure: 1 });
  assert.is(await attempt(), 'INFERENCE_FAILED');
  simulator.set({ copyFailure: 2 });
  assert.is(await attempt(), 'INFERENCE_FAILED');
  simulator.set({ badPeak: 1 });
  assert.is(await attempt(), 'NUMERIC_FAILURE');
  assert.is(await attempt(), '');
  simulator.set({ deviceLost: 5 });
  assert.is(await attempt(), 'DEVICE_LOST');
  assert.is(await attempt(), 'DEVICE_LOST');
  await flavr.dispose();
  const next = await open();
  assert.is(await codeOf(next.interpolate(clip, 2)), '');
  await next.dispose();
});

deviceTest('graphs are captured unless they are off, and a failed capture is told and changes no frame', async () => {
  const clip = clipOf(30);
  const expected = wholeClip(clip, 2, [2], 2, [], simulatedOutput);
  for (const [graphs, failure] of [
    ['auto', 0],
    ['off', 0],
    ['auto', 1],
  ] as const) {
    simulator.set({ captureFailure: failure });
    const flavr = await open({ graphs });
    equalFrames(await flavr.interpolate(clip, 2), expected, `graphs ${graphs}, failure ${failure}`);
    const stats = flavr.stats();
    assert.is(stats.graphs! > 0, graphs === 'auto' && failure === 0);
    assert.is(stats.graphsFailed, failure === 1);
  }
});

deviceTest('a session that does not fit is refused with the numbers before memory is taken', async () => {
  simulator.set({ totalMemory: 2 ** 20 });
  try {
    await open();
    assert.unreachable();
  } catch (error) {
    assert.is((error as FlavrError).code, 'OUT_OF_MEMORY');
    assert.match((error as FlavrError).message, /needs \d+ MiB .* 1 MiB of its 1 MiB are free/);
  } finally {
    simulator.set({ totalMemory: 2 ** 33 });
  }
});

deviceTest('a factor that was not prepared is prepared on first use', async () => {
  const flavr = await open({ k: 2 }, undefined, 8);
  const clip = clipOf(4);
  equalFrames(await flavr.interpolate(clip, 8), wholeClip(clip, 8, [8], 2, [], simulatedOutput), 'k = 8');
  equalFrames(await flavr.interpolate(clip, 4), wholeClip(clip, 4, [4], 2, [], simulatedOutput), 'k = 4');
});

deviceTest('a session opened for k = 1 is ready for a whole pass', async () => {
  const flavr = await open({ k: 1 }, undefined, 4);
  const clip = clipOf(3);
  assert.equal(await flavr.interpolate(clip, 1), clip);
  equalFrames(await flavr.interpolate(clip, 4), wholeClip(clip, 4, [4], 2, [], simulatedOutput), 'k = 4');
});

deviceTest('an engine from the cache that does not load is discarded and built again, once', async () => {
  let asked = 0;
  let discarded = 0;
  const plan = simulator.plan({
    ...{ inputs: 4, batch: 1, factor: 2, width: WIDTH, height: HEIGHT },
    ...{ activationBytes: 100, computeUs: 0 },
  });
  const stale = simulatedBackend(addon, {
    engine: async () => {
      asked++;
      if (asked > 1) return { plan, library: '', kernelCache: '' };
      return { plan: new Uint8Array(88), library: '', kernelCache: '', discard: async () => void discarded++ };
    },
  });
  const flavr = await open({}, stale);
  assert.is(discarded, 1);
  assert.is(asked, 2);
  await flavr.dispose();
});

deviceTest('an engine takes the place of a model, for its own factor and size', async () => {
  const path = join(temporaryFolder(), 'simulated.engine');
  const header = { ...engineOf(1).header, width: WIDTH, height: HEIGHT, factor: 4, inputs: 4, batch: 2 };
  const plan = simulator.plan({ ...header, activationBytes: 100, computeUs: 0 });
  await writeEngine(path, { header, plan });
  const { model, batch } = await builtModel(path, { width: WIDTH, height: HEIGHT });
  const backend = simulatedBackend(addon, { engine: async () => ({ plan, library: '', kernelCache: '' }) });
  const flavr = await Interpolator.openOn(backend, model, { width: WIDTH, height: HEIGHT, batch });
  opened.push(flavr);
  const clip = clipOf(5);
  equalFrames(await flavr.interpolate(clip, 4), wholeClip(clip, 4, [4], 2, [], simulatedOutput), 'k = 4');
});

deviceTest('a backend that cannot run here says why when it is opened', async () => {
  const backend = simulatedBackend(addon, { unavailable: async () => 'There is no driver.' });
  await open({}, backend).then(
    () => assert.unreachable(),
    (error: FlavrError) => {
      assert.is(error.code, 'BACKEND_UNAVAILABLE');
      assert.is(error.message, 'There is no driver.');
    },
  );
});

deviceTest('dispose finishes what runs and refuses what comes after', async () => {
  const backend = simulatedBackend(addon, { computeUs: 2000 });
  const flavr = await open({}, backend);
  const running = codeOf(flavr.interpolate(clipOf(20), 2));
  await nextTurn();
  await Promise.all([flavr.dispose(), flavr.dispose()]);
  assert.is(await running, 'DISPOSED');
  assert.is(await codeOf(flavr.interpolate(clipOf(2), 2)), 'DISPOSED');
  assert.is(simulator.gauges().streams, 0);
});

deviceTest('several sessions on several devices work side by side, opened and closed over and over', async () => {
  const clip = clipOf(4);
  const expected = wholeClip(clip, 2, [2], 2, [], simulatedOutput);
  for (let round = 0; round < 10; round++) {
    const sessions = await Promise.all([0, 1, 1].map((device) => open({ batch: 2, device })));
    for (const frames of await Promise.all(sessions.map((flavr) => flavr.interpolate(clip, 2)))) {
      equalFrames(frames, expected, `round ${round}`);
    }
    await Promise.all(sessions.map((flavr) => flavr.dispose()));
  }
  assert.is(await codeOf(open({ device: 2 })), 'BACKEND_UNAVAILABLE');
});

deviceTest('a runtime without external buffers costs one copy per frame out, and nothing else', async () => {
  // For good in this environment, so this test is the last.
  simulator.refuseExternalBuffers();
  const flavr = await open();
  const clip = clipOf(6);
  equalFrames(await flavr.interpolate(clip, 2), wholeClip(clip, 2, [2], 2, [], simulatedOutput), 'copied');
  assert.is(flavr.stats().hostCopiesOut, 5);
  assert.is(flavr.stats().framesLent, 0);
});

test.run();
