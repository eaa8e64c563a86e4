import { getEventListeners, getMaxListeners } from 'node:events';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Frame } from '../../ts/frame.js';
import { Interpolator } from '../../ts/interpolator.js';
import type { OpenOptions, TimedFrame } from '../../ts/options.js';
import { rational } from '../../ts/rational.js';
import { fakeBackend, fakeModel } from '../support/fake-backend.js';
import { failure, rejects } from '../support/rejects.js';

// TypeScript's library for ES2023 does not know resizable buffers yet.
type ResizableConstructor = new (bytes: number, options: { maxByteLength: number }) => ArrayBuffer;

const BYTES = 24;
const frame = (value = 0): Frame => new Uint8Array(BYTES).fill(value);
const clip = (frames: number): Frame[] => Array.from({ length: frames }, (_, i) => frame(i));

async function open(options: Partial<OpenOptions> = {}, backend = fakeBackend()) {
  const flavr = await Interpolator.openOn(backend, fakeModel(2, 4), { width: 4, height: 2, ...options });
  return { flavr, session: backend.sessions[0]! };
}

/** Frames handed out, and whether the source was closed. */
function watched(frames = Number.POSITIVE_INFINITY) {
  const state = { read: 0, closed: false };
  async function* source() {
    try {
      while (state.read < frames) yield frame(state.read++);
    } finally {
      state.closed = true;
    }
  }
  return { state, source: source() };
}

const settled = () => new Promise<void>((resolve) => setTimeout(resolve, 5));

test('open refuses every option that cannot be, without throwing', async () => {
  const backend = fakeBackend();
  const bad: Record<string, unknown>[] = [
    { width: 0 },
    { height: 1.5 },
    { width: '4' },
    { format: 'bgr24' },
    { batch: 0 },
    { batchWaitMs: -1 },
    { inFlight: Number.NaN },
    { maxActive: 0 },
    { threads: 0 },
    { k: 0 },
    { k: '2' },
    { batch: Symbol('2') },
    { format: Object.create(null) },
    { precision: Symbol('half') },
  ];
  for (const options of bad) {
    await rejects(Interpolator.openOn(backend, fakeModel(2, 4), { width: 4, height: 2, ...options }), 'BAD_ARGUMENT');
  }
  await rejects(Interpolator.open(undefined as never), 'BAD_ARGUMENT');
  await rejects(Interpolator.open({ width: 4, height: 2, backend: 'gpu' as never }), 'BAD_ARGUMENT', /cpu/);
  await rejects(Interpolator.open({ width: 4, height: 2, model: 'no-such-model' }), 'MODEL_NOT_FOUND');
  await rejects(Interpolator.open({ width: 4, height: 2, model: 5 as never }), 'BAD_ARGUMENT', /loadModel gave; got 5/);
  await rejects(Interpolator.open({ width: 4, height: 2, signal: 'now' as never }), 'BAD_ARGUMENT', /AbortSignal/);
  await rejects(Interpolator.open({ width: 4, height: 2, signal: AbortSignal.abort() }), 'ABORTED');
  assert.is(backend.sessions.length, 0);
});

test('a factor that the model cannot do is refused with the list of those it can', async () => {
  const { flavr } = await open();
  await rejects(flavr.interpolate(clip(3), 3), 'UNSUPPORTED_FACTOR', /2, 4, 8, 16, 32, 64/);
  await rejects(flavr.interpolate(clip(3), 128), 'UNSUPPORTED_FACTOR');
  await rejects(flavr.interpolate(clip(3), 2.5), 'BAD_ARGUMENT');
  await rejects(flavr.interpolate(clip(3), 0), 'BAD_ARGUMENT');
  await rejects(flavr.stream(clip(3), 3).next(), 'UNSUPPORTED_FACTOR');
  await flavr.dispose();
});

test('bad arguments reject at the first next, and not before', async () => {
  const { flavr } = await open();
  await rejects(flavr.interpolate('frames' as never, 2), 'BAD_ARGUMENT');
  await rejects(flavr.stream(undefined as never, 2).next(), 'BAD_ARGUMENT');
  await rejects(flavr.stream(clip(2), 2, { cuts: [0] }).next(), 'BAD_ARGUMENT', /cuts/);
  await rejects(flavr.stream(clip(2), 2, { cuts: 'no' as never }).next(), 'BAD_ARGUMENT');
  await rejects(
    flavr.stream(clip(2), 2, null as never).next(),
    'BAD_ARGUMENT',
    /stream takes its options as an object; got null/,
  );
  await rejects(flavr.stream(clip(2), 2, { signal: 'now' as never }).next(), 'BAD_ARGUMENT', /AbortSignal/);
  await rejects(flavr.streamTimed([], undefined as never).next(), 'BAD_ARGUMENT', /its options as an object/);
  await rejects(flavr.streamTimed([], {} as never).next(), 'BAD_ARGUMENT', /fps/);
  await rejects(flavr.streamTimed([], { fps: 'fast' }).next(), 'BAD_ARGUMENT');
  await rejects(flavr.streamTimed([], { fps: 0 }).next(), 'BAD_ARGUMENT');
  await flavr.dispose();
});

test('frames of the wrong kind, length or buffer are BAD_FRAME with their index', async () => {
  const { flavr } = await open();
  const transferred = frame();
  structuredClone(transferred.buffer, { transfer: [transferred.buffer as ArrayBuffer] });
  const bad = [
    new Uint8Array(BYTES - 1),
    new Float32Array(BYTES),
    [1, 2, 3],
    null,
    transferred,
    new Uint8Array(new SharedArrayBuffer(BYTES)),
    new Uint8Array(new (ArrayBuffer as ResizableConstructor)(BYTES, { maxByteLength: 100 })),
  ];
  for (const value of bad) await rejects(flavr.interpolate([frame(), value as Frame], 2), 'BAD_FRAME', /Frame 1 /);
  await flavr.dispose();
});

test('times and rates that are no fractions are refused', async () => {
  const { flavr } = await open();
  for (const time of [0, '0', undefined, { num: 1n, den: 0n }, { num: 1, den: 2 }]) {
    const source = [{ data: frame(), time } as never];
    await rejects(flavr.streamTimed(source, { k: 2 }).next(), 'BAD_ARGUMENT', /time of frame 0/);
  }
  await rejects(flavr.streamTimed([], { fps: { num: 24, den: 1 } as never }).next(), 'BAD_ARGUMENT', /fps/);
  await flavr.dispose();
});

test('times that do not increase are refused', async () => {
  const { flavr } = await open();
  const source = [1, 1].map((time) => ({ data: frame(), time: rational(time) }));
  const run = async () => {
    for await (const _ of flavr.streamTimed(source, { k: 2 }));
  };
  await rejects(run(), 'BAD_ARGUMENT', /increase/);
  await flavr.dispose();
});

test('a gap that a target rate would show millions of times is refused at once', async () => {
  const { flavr } = await open();
  const source = [0, 1_764_000_000].map((time) => ({ data: frame(), time: rational(time) }));
  await rejects(
    flavr.streamTimed(source, { fps: 60 }).next(),
    'BAD_ARGUMENT',
    /1764000000 s without a source frame.*60/,
  );
  const still = [{ data: frame(), time: rational(0), duration: rational(1) }];
  await rejects(flavr.streamTimed(still, { fps: 1e15 }).next(), 'BAD_ARGUMENT', /rate/);
  await flavr.dispose();
});

test('leaving a loop early closes the source', async () => {
  const { flavr, session } = await open();
  const { state, source } = watched();
  for await (const _ of flavr.stream(source, 2)) break;
  assert.ok(state.closed);
  await flavr.dispose();
  assert.is(session.openLanes, 0);
});

test('what the source throws while it is closed comes out of a loop that was left, and hides no other error', async () => {
  const { flavr } = await open();
  const firstOf = async (times: readonly number[]) => {
    const frames = times.map((time) => ({ data: frame(), time: rational(time) })).values();
    const close = (): never => {
      throw new RangeError('the camera does not close');
    };
    const source = { [Symbol.iterator]: () => ({ next: () => frames.next(), return: close }) };
    for await (const _ of flavr.streamTimed(source as Iterable<TimedFrame>, { k: 2 })) break;
  };
  assert.instance(await failure(firstOf([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])), RangeError);
  await rejects(firstOf([1, 0]), 'BAD_ARGUMENT', /increase/);
  await flavr.dispose();
});

test('any number of calls may share a signal, and none leaves a listener', async () => {
  const warnings: Error[] = [];
  const warned = (warning: Error) => warnings.push(warning);
  process.on('warning', warned);
  const { flavr } = await open();
  const { signal } = new AbortController();
  const [limit, listeners] = [getMaxListeners(signal), () => getEventListeners(signal, 'abort').length];
  const calls = Array.from({ length: 30 }, () => flavr.interpolate(clip(4), 2, { signal }));
  assert.is(listeners(), 30);
  await Promise.all(calls);
  const noSource = {
    [Symbol.iterator](): never {
      throw new RangeError('no camera');
    },
  };
  await failure(flavr.streamTimed(noSource, { k: 2, signal }).next());
  await settled();
  assert.equal([listeners(), getMaxListeners(signal), warnings], [0, limit, []]);
  process.off('warning', warned);
  await flavr.dispose();
});

test('the stack of an error leads to the call, and each call has an error of its own', async () => {
  const { FlavrError } = await import('../../ts/errors.js');
  const lost = new FlavrError('INFERENCE_FAILED', 'the device is gone', { cause: 'a cable' });
  const onBatch = () => {
    throw lost;
  };
  const { flavr } = await open({}, fakeBackend({ onBatch, pace: settled }));
  async function myCall() {
    await flavr.interpolate(clip(3), 2);
  }
  async function myLoop() {
    for await (const _ of flavr.stream(clip(3), 2));
  }
  const errors = await Promise.all([failure(myCall()), failure(myLoop())]);
  assert.match(errors[0].stack!, 'myCall');
  assert.match(errors[1].stack!, 'myLoop');
  for (const { code, message, cause } of errors) {
    assert.equal([code, message, cause], [lost.code, lost.message, lost.cause]);
  }
  assert.is.not(errors[0], errors[1]);
  await flavr.dispose();
});

test('an error of the source comes out after the frames before it', async () => {
  const { flavr } = await open();
  async function* source() {
    yield* clip(6);
    throw new RangeError('the camera is gone');
  }
  let count = 0;
  try {
    for await (const _ of flavr.stream(source(), 2)) count++;
    assert.unreachable();
  } catch (error) {
    assert.instance(error, RangeError);
  }
  // The gap before the last frame needs the one after it.
  assert.is(count, 8);
  await flavr.dispose();
});

test('the source is read a bounded number of frames ahead, and not at all before the first next', async () => {
  for (const k of [1, 2, 8, 64]) {
    const { flavr } = await open();
    const { state, source } = watched();
    const stream = flavr.stream(source, k);
    await settled();
    assert.is(state.read, 0);
    let most = 0;
    for (let n = 0; n < 3 * k; n++) {
      await stream.next();
      await settled();
      most = Math.max(most, state.read - n / k);
    }
    assert.ok(most <= 10, `k = ${k}: ${most} frames ahead`);
    await stream.return();
    await flavr.dispose();
  }
});

test('a target rate below the source’s does not read it to its end', async () => {
  const { flavr } = await open();
  const { state, source } = watched();
  async function* timed() {
    let n = 0;
    for await (const data of source) yield { data, time: rational(n++, 60) };
  }
  const stream = flavr.streamTimed(timed(), { fps: 10 });
  await stream.next();
  await settled();
  assert.ok(state.read <= 30, `${state.read} frames read`);
  await stream.return();
  await flavr.dispose();
});

test('a stream that nobody pulls leaves its place to others', async () => {
  const { flavr } = await open({ maxActive: 1 });
  const idle = flavr.stream(watched().source, 2);
  await idle.next();
  const frames = await flavr.interpolate(clip(20), 2);
  assert.is(frames.length, 39);
  await idle.return();
  await flavr.dispose();
});

test('more calls than may wait are BUSY, and those under way end well', async () => {
  const { flavr } = await open({ maxActive: 1, maxQueued: 2, inFlight: 1 });
  const calls = Array.from({ length: 6 }, () => flavr.interpolate(clip(5), 2));
  const results = await Promise.allSettled(calls);
  const refused = results.filter((result) => result.status === 'rejected');
  for (const { reason } of refused) assert.is(reason.code, 'BUSY');
  assert.ok(refused.length > 0 && refused.length <= 3, `${refused.length} refused`);
  await flavr.dispose();
});

test('a window whose numbers fail fails its own call and no other in the batch', async () => {
  const { FlavrError } = await import('../../ts/errors.js');
  const backend = fakeBackend({
    onBatch: (windows) => {
      const bad = windows.some((frames) => frames.some((data) => data[0] === 99));
      if (bad) throw new FlavrError('NUMERIC_FAILURE', 'not finite');
    },
  });
  const { flavr } = await open({ batch: 4, batchWaitMs: 5 }, backend);
  const good = flavr.interpolate(clip(5), 2);
  await rejects(flavr.interpolate([frame(99), frame(1), frame(2)], 2), 'NUMERIC_FAILURE');
  assert.is((await good).length, 9);
  await flavr.dispose();
});

test('batches are filled from several calls when they may wait', async () => {
  const { flavr, session } = await open({ batch: 4, batchWaitMs: 20, inFlight: 1 });
  await Promise.all(Array.from({ length: 4 }, () => flavr.interpolate(clip(2), 2)));
  assert.equal(session.batches, [4]);
  await flavr.dispose();
});

test('a batch that waited while the device was busy still runs', async () => {
  const { flavr } = await open({ batch: 4, batchWaitMs: 1, inFlight: 1 }, fakeBackend({ pace: settled }));
  const first = flavr.interpolate(clip(6), 2);
  await settled();
  const second = flavr.interpolate(clip(2), 2);
  assert.is((await first).length, 11);
  assert.is((await second).length, 3);
  await flavr.dispose();
});

test('dispose ends calls and streams with DISPOSED, and so does every later use', async () => {
  const { flavr, session } = await open({}, fakeBackend({ pace: settled }));
  const stream = flavr.stream(watched().source, 2);
  await stream.next();
  const call = flavr.interpolate(clip(50), 2);
  const rejected = rejects(call, 'DISPOSED');
  await settled();
  await Promise.all([flavr.dispose(), flavr.dispose()]);
  await rejected;
  await rejects(stream.next(), 'DISPOSED');
  await rejects(flavr.interpolate(clip(2), 2), 'DISPOSED');
  await rejects(flavr.stream(clip(2), 2).next(), 'DISPOSED');
  assert.throws(
    () => flavr.allocFrame(),
    (error: { code?: string }) => error.code === 'DISPOSED',
  );
  assert.ok(session.disposed);
});

test('`await using` disposes', async () => {
  const { flavr, session } = await open();
  await flavr[Symbol.asyncDispose]();
  assert.ok(session.disposed);
});

test('abort rejects at once, even while the source gives nothing', async () => {
  const { flavr } = await open();
  const controller = new AbortController();
  async function* silent(): AsyncGenerator<Frame> {
    await new Promise(() => {});
  }
  const waiting = flavr.stream(silent(), 2, { signal: controller.signal }).next();
  setTimeout(() => controller.abort(new Error('enough')), 5);
  await rejects(waiting, 'ABORTED');
  await flavr.dispose();
});

test('copyInput: frames may be changed as soon as the call has returned', async () => {
  const { flavr } = await open({ copyInput: true });
  const frames = clip(4);
  const call = flavr.interpolate(frames, 2);
  for (const data of frames) data.fill(77);
  const result = await call;
  assert.equal(
    result.filter((_, i) => i % 2 === 0).map((data) => data[0]),
    [0, 1, 2, 3],
  );
  await flavr.dispose();
});

test('the array of a call may be changed as soon as the call has returned', async () => {
  const { flavr } = await open();
  const frames = clip(4);
  const call = flavr.interpolate(frames, 2);
  frames.length = 1;
  assert.is((await call).length, 7);
  await flavr.dispose();
});

test('every new frame has an ArrayBuffer of its own, and released memory is used again', async () => {
  const { flavr, session } = await open();
  const frames = await flavr.interpolate(clip(5), 4);
  assert.is(new Set(frames.map(({ buffer }) => buffer)).size, frames.length);
  for (const data of frames) flavr.release(data);
  const { framesPooled, framesLent } = session.stats();
  assert.is(framesLent, 0);
  assert.is(framesPooled, 12);
  await flavr.dispose();
});

test('the same frame object several times in a clip is fine', async () => {
  const { flavr } = await open();
  const still = frame(5);
  const frames = await flavr.interpolate([still, still, still], 2);
  assert.is(frames.length, 5);
  assert.is(frames[2], still);
  await flavr.dispose();
});

test.run();
