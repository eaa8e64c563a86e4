import * as ort from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Backend } from '../../ts/backends/backend.js';
import { CPU_LOWERING, cpuSessionOptions } from '../../ts/backends/cpu-options.js';
import { findBlock } from '../../ts/backends/find-block.js';
import type { Method } from '../../ts/evaluate/methods.js';
import { type ModelMethodOptions, modelMethod, modelMethodOn } from '../../ts/evaluate/model-method.js';
import { type Picture, toBytes } from '../../ts/evaluate/picture.js';
import { Interpolator } from '../../ts/interpolator.js';
import type { Model } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { loadModel } from '../../ts/model/load.js';
import { frameFeeds, maxDifference, runOnnx } from '../graph/support.js';
import { fakeBackend, fakeModel, fakeOutput } from '../support/fake-backend.js';
import { GOLDENS, readGolden } from '../support/goldens.js';

const tiny = `${GOLDENS}/tiny8-k2.weights.safetensors`;
const golden = await readGolden('tiny8-k2');
const window = golden.frames.map((data) => ({ data, width: golden.width, height: golden.height }));

async function withMethod(model: string | Model, job: (method: Method) => Promise<void>, options?: ModelMethodOptions) {
  const method = await modelMethod(model, { backend: 'cpu', threads: 2, ...options });
  try {
    await job(method);
  } finally {
    await method.close();
  }
}

/** [k-1, 3, H, W] as interleaved pictures. */
function interleaved(data: Float32Array, pixels: number): Float32Array[] {
  return Array.from({ length: data.length / (3 * pixels) }, (_, frame) =>
    Float32Array.from({ length: 3 * pixels }, (_, i) => data[(frame * 3 + (i % 3)) * pixels + Math.floor(i / 3)]!),
  );
}
const crop = (width: number, height: number) =>
  window.map(({ data, width: stride }) => {
    const out = new Uint8Array(width * height * 3);
    for (let y = 0; y < height; y++) {
      out.set(data.subarray(y * stride * 3, (y * stride + width) * 3), y * width * 3);
    }
    return { data: out, width, height };
  });

for (const name of ['tiny8-k2', 'tiny8-k8'] as const) {
  test(`${name}: on the CPU the pictures are what the official network gives, not rounded`, async () => {
    const { frames, outputs, width, height } = await readGolden(name);
    await withMethod(`${GOLDENS}/${name}.weights.safetensors`, async (method) => {
      const factor = outputs.shape[0]! + 1;
      assert.is(method.output(factor), 'unrounded');
      const pictures = await method.interpolate(
        frames.map((data) => ({ data, width, height })),
        factor,
      );
      const expected = interleaved(outputs.data, width * height);
      assert.is(pictures.length, expected.length);
      for (const [i, { data }] of pictures.entries()) assert.ok(maxDifference(data, expected[i]!) < 2e-5);
    });
  });
}

test('on the CPU it runs the graph that a session runs, in the blocks of channels of this processor', async () => {
  const { width, height } = golden;
  const model = await loadModel(tiny);
  const spec = { width, height, lowering: CPU_LOWERING, form: 'unrounded', block: await findBlock(ort) } as const;
  const feeds = frameFeeds(golden.frames, height, width);
  const { interpolated } = await runOnnx(buildGraph(model, spec).bytes, feeds, cpuSessionOptions(2));
  await withMethod(model, async (method) => {
    const [picture] = await method.interpolate(window, 2);
    assert.equal(picture!.data, interleaved(interpolated!.data as Float32Array, width * height)[0]);
  });
});

test('a graph that someone exported is measured unrounded, too', async () => {
  const model = await loadModel('test/fixtures/graph/exported-window.onnx');
  if (model.kind !== 'graph') return assert.unreachable();
  const { width, height, inputs, factor } = model;
  const frames = Array.from({ length: inputs }, (_, t) => {
    return { data: Uint8Array.from({ length: width * height * 3 }, (_, i) => (i * 7 + t * 5) % 256), width, height };
  });
  await withMethod(model, async (method) => {
    const [picture] = await method.interpolate(frames, factor);
    assert.instance(picture!.data, Float32Array);
    const flavr = await Interpolator.open({ model, width, height, backend: 'cpu', threads: 2 });
    const clip = await flavr.interpolate(
      frames.map(({ data }) => data),
      factor,
    );
    await flavr.dispose();
    assert.ok(maxDifference(toBytes(picture!), clip[(inputs / 2 - 1) * factor + 1]!) <= 1);
  });
});

test('sizes may change from sample to sample, and come back', async () => {
  await withMethod(tiny, async (method) => {
    const sizes = [crop(48, 32), crop(21, 13), crop(24, 16), crop(48, 32)];
    const results: Picture[] = [];
    for (const frames of sizes) results.push((await method.interpolate(frames, 2))[0]!);
    assert.equal(
      results.map(({ width, height }) => [width, height]),
      [48, 21, 24, 48].map((width, i) => [width, [32, 13, 16, 32][i]]),
    );
    assert.equal(results[3]!.data, results[0]!.data);
  });
});

test('a factor that takes several passes is what interpolating the window gives, in bytes', async () => {
  await withMethod(tiny, async (method) => {
    assert.is(method.output(4), '8-bit, 2 passes');
    const { width, height } = golden;
    const pictures = await method.interpolate(window, 4);
    const flavr = await Interpolator.open({ model: tiny, width, height, backend: 'cpu', threads: 2 });
    const clip = await flavr.interpolate(golden.frames, 4);
    await flavr.dispose();
    assert.equal(
      pictures.map(({ data }) => data),
      clip.slice(5, 8),
    );
  });
});

test('what cannot be run says so, and the method lives on', async () => {
  await withMethod(tiny, async (method) => {
    const failure = await method.interpolate(window, 3).catch((error) => error);
    assert.is(failure.code, 'UNSUPPORTED_FACTOR');
    assert.is((await method.interpolate(window, 2)).length, 1);
  });
});

test('what a session tells as it opens reaches the caller', async () => {
  const said: unknown[] = [];
  const fake = fakeBackend();
  const backend: Backend = {
    ...fake,
    name: 'tensorrt',
    openSession(options) {
      options.onProgress?.({ stage: 'build engine', fraction: 0.5 });
      options.onNotice?.('Another process builds it.');
      return fake.openSession(options);
    },
  };
  const method = modelMethodOn(backend, fakeModel(2, 4), {
    onProgress: ({ stage }) => said.push(stage),
    onNotice: (sentence) => said.push(sentence),
  });
  const frames = Array.from({ length: 4 }, () => ({ data: new Uint8Array(12), width: 2, height: 2 }));
  await method.interpolate(frames, 2);
  await method.close();
  assert.equal(said, ['build engine', 'Another process builds it.']);
});

test('a method that is closed while its model is being opened leaves no process behind', async () => {
  const method = await modelMethod(tiny, { backend: 'cpu', threads: 1 });
  const picture = method.interpolate(window, 2).catch((error) => error);
  await method.close();
  assert.is((await picture).code, 'DISPOSED');
});

test('a backend other than the CPU gives bytes, window by window, and the report says so', async () => {
  const backend = { ...fakeBackend(), name: 'tensorrt' } as const;
  const method = modelMethodOn(backend, fakeModel(4, 4), {});
  assert.is(method.name, 'fake@tensorrt');
  assert.is(method.output(4), '8-bit');
  const frames = [1, 2, 3, 4].map((value) => ({ data: new Uint8Array(27).fill(value), width: 3, height: 3 }));
  for (const shown of [frames, frames.toReversed()]) {
    const clip = shown.map(({ data }) => data);
    const pictures = await method.interpolate(shown, 2);
    assert.equal(
      pictures.map(({ data }) => data),
      [fakeOutput(clip, 2, 0)],
    );
  }
  await method.close();
  assert.ok(backend.sessions.every(({ disposed }) => disposed));
});

test('what failed once is opened anew for the next sample', async () => {
  let broken = true;
  const onBatch = () => {
    if (broken) throw new Error('the device is gone');
  };
  const backend = { ...fakeBackend({ onBatch }), name: 'tensorrt' } as const;
  const method = modelMethodOn(backend, fakeModel(2, 4), {});
  const frames = [1, 2, 3, 4].map((value) => ({ data: new Uint8Array(27).fill(value), width: 3, height: 3 }));
  const failure = await method.interpolate(frames, 2).catch((error) => error);
  assert.match(failure.message, /device is gone/);
  broken = false;
  assert.is((await method.interpolate(frames, 2)).length, 1);
  assert.equal(
    backend.sessions.map(({ disposed }) => disposed),
    [true, false],
  );
  await method.close();
});

test('the identity tells weights and precision apart, the name does not', async () => {
  await withMethod(tiny, (one) =>
    withMethod(`${GOLDENS}/tiny8-k8.weights.safetensors`, async (other) => {
      assert.is.not(one.identity, other.identity);
      await withMethod(tiny, async (half) => assert.is.not(one.identity, half.identity), { precision: 'fp16' });
      await withMethod(`${GOLDENS}/tiny8-k2.zip.pth`, async (same) => assert.is(one.identity, same.identity));
    }),
  );
});

test.run();
