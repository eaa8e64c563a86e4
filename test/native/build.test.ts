// Engines built for real by TensorRT-RTX, which needs no GPU for it. That an engine was built shows that the builder takes
// the graph, not that it runs: kernels are compiled on the device.
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Progress } from '../../ts/backends/backend.js';
import { type BuildEngineOptions, buildEngine } from '../../ts/engine/build.js';
import { readEngine, writeEngine } from '../../ts/engine/file.js';
import type { FlavrError } from '../../ts/errors.js';
import { loadNative } from '../../ts/native.js';
import { goldenModel } from '../graph/support.js';
import { buildRequest, compileLibrary, RTX_FOLDER, temporaryFolder, testWith } from './support.js';

const withRtx = testWith(test, 'addon', 'rtx');
const withAddon = testWith(test, 'addon');

const RTX_LIBRARY = join(RTX_FOLDER, 'libtensorrt_rtx.so.1');
const RTX = { backend: 'tensorrt-rtx', tensorrtPath: RTX_FOLDER, width: 64, height: 48 } as const;

async function build(changes: Partial<BuildEngineOptions> = {}) {
  return buildEngine((await goldenModel('tiny8-k2')).model, { ...RTX, ...changes });
}

async function refusal(run: Promise<unknown>): Promise<FlavrError> {
  return run.then(
    () => assert.unreachable('should have been refused'),
    (error) => error,
  );
}

withRtx('a small engine is built, with a header that says what it is', async () => {
  const { header, plan } = await build();
  const { estimate, model, flavr, ...rest } = header;
  assert.equal(rest, {
    width: 64,
    height: 48,
    factor: 2,
    inputs: 4,
    batch: 1,
    precision: 'fp16',
    lowering: '3d',
    form: 'framed',
    frameStride: 64 * 48 * 3,
    family: 'tensorrt-rtx',
    version: '1.7.1',
    target: { kind: 'portable' },
  });
  assert.ok(plan.length > estimate.weightBytes);
  assert.is(model.factor, 2);
  assert.match(flavr, /^\d+\.\d+\.\d+/);
});

withRtx('a built engine goes through its file', async () => {
  const engine = await build();
  const path = join(temporaryFolder(), 'tiny.engine');
  await writeEngine(path, engine);
  const read = await readEngine(path);
  assert.equal(read.header, engine.header);
  assert.ok(Buffer.from(read.plan).equals(engine.plan));
});

withRtx('a size whose frames do not fill 256 bytes gets the ring form', async () => {
  const { header } = await build({ width: 50, height: 38 });
  assert.equal([header.form, header.frameStride], ['ring', 5888]);
});

withRtx('the full published network is built at 512x512 with weights in half precision', async () => {
  const { model } = await goldenModel('r18-k2');
  const { header, plan } = await buildEngine(model, { ...RTX, width: 512, height: 512 });
  const bytesPerParameter = plan.length / header.estimate.parameters;
  console.log(`NOTE r18 k=2 512x512 fp16: ${plan.length} bytes, ${bytesPerParameter.toFixed(2)} per parameter`);
  assert.is(header.estimate.parameters, 42_061_571);
  assert.ok(bytesPerParameter > 2 && bytesPerParameter < 2.4, String(bytesPerParameter));
});

withRtx('named compute capabilities are built for, and stand in the header', async () => {
  const { header } = await build({ computeCapabilities: ['12.0', '7.5'] });
  assert.equal(header.target, { kind: 'capabilities', computeCapabilities: ['12.0', '7.5'] });
});

withRtx('progress rises to 1 and names its stages', async () => {
  const seen: Progress[] = [];
  await build({ onProgress: (progress) => seen.push(progress) });
  assert.is(seen[0]!.stage, 'build graph');
  const fractions = seen.slice(1).map(({ fraction }) => fraction!);
  assert.ok(fractions.every((fraction, i) => fraction >= (fractions[i - 1] ?? 0)));
  assert.is(fractions.at(-1), 1);
});

withRtx('an abort during the build ends it with ABORTED', async () => {
  const abort = new AbortController();
  const reason = new Error('enough');
  let after = 0;
  const error = await refusal(
    build({
      signal: abort.signal,
      onProgress: ({ fraction }) => {
        if (abort.signal.aborted) after++;
        else if (fraction !== undefined) abort.abort(reason);
      },
    }),
  );
  assert.is(error.code, 'ABORTED');
  assert.is(error.cause, reason);
  assert.ok(after < 10_000);
});

withRtx('a signal that was aborted before builds nothing', async () => {
  const error = await refusal(build({ signal: AbortSignal.abort(), onProgress: () => assert.unreachable() }));
  assert.is(error.code, 'ABORTED');
});

withRtx('what onProgress throws is what the build rejects with', async () => {
  const thrown = new Error('from the callback');
  const error = await refusal(
    build({
      onProgress: ({ fraction }) => {
        if (fraction !== undefined) throw thrown;
      },
    }),
  );
  assert.is(error, thrown);
});

withRtx('the event loop keeps turning while an engine is built', async () => {
  let ticks = 0;
  const timer = setInterval(() => ticks++, 1);
  const done = loadNative().build(
    buildRequest({ library: RTX_LIBRARY, model: (await graphBytes()).bytes }),
    () => {},
  ).done;
  ticks = 0;
  await done;
  clearInterval(timer);
  assert.ok(ticks > 5, `${ticks} ticks`);
});

async function graphBytes() {
  const { buildGraph } = await import('../../ts/model/graph/build.js');
  return buildGraph((await goldenModel('tiny8-k2')).model, { width: 64, height: 48 });
}

withAddon('a TensorRT whose own libraries are off the loader’s path is told with what to set', async () => {
  const folder = temporaryFolder();
  const library = join(folder, 'libnvinfer.so.10');
  // Its logger's only function before the destructors takes a severity, 1 for an error, and the text.
  compileLibrary(
    library,
    `int getInferLibVersion(void) { return 101501; }
     void* createInferBuilder_INTERNAL(void* logger, int version) {
       void (**table)(void*, int, const char*) = *(void (***)(void*, int, const char*))logger;
       table[0](logger, 1, "Unable to load library: libnvinfer_builder_resource.so.10.15.1");
       return 0;
     }`,
  );
  compileLibrary(join(folder, 'libnvonnxparser.so.10'), 'void* createNvOnnxParser_INTERNAL(void) { return 0; }');
  const request = buildRequest({ library, model: new Uint8Array(10) });
  const error = await refusal(loadNative().build(request, () => {}).done);
  assert.is(error.code, 'BACKEND_UNAVAILABLE');
  assert.match(error.message, /could not start its builder: Unable to load library: libnvinfer_builder_resource/);
  assert.ok(error.message.includes(`LD_LIBRARY_PATH=${folder}/ `), error.message);
});

withRtx('a graph that the parser refuses is told with node, operator and reason', async () => {
  const graph = Buffer.from((await graphBytes()).bytes);
  // An operator that no parser knows, of the same length.
  const at = graph.indexOf('ConvTranspose');
  graph.write('ConvTransqose', at, 'latin1');
  const build = loadNative().build(buildRequest({ library: RTX_LIBRARY, model: graph }), () => {});
  const error = await refusal(build.done);
  assert.is(error.code, 'ENGINE_BUILD_FAILED');
  assert.match(error.message, /TensorRT-RTX 1\.7\.1 refused the graph: .*node \d+ ".+" \(ConvTransqose\): /);
});

withRtx('bytes that are no graph are refused', async () => {
  const build = loadNative().build(
    buildRequest({ library: RTX_LIBRARY, model: new Uint8Array(100).fill(7) }),
    () => {},
  );
  assert.is((await refusal(build.done)).code, 'ENGINE_BUILD_FAILED');
});

const REFUSED: readonly [string, Partial<BuildEngineOptions>, RegExp][] = [
  ['compute capabilities for TensorRT', { backend: 'tensorrt', computeCapabilities: ['8.9'] }, /is for tensorrt-rtx/],
  ['int8', { precision: 'int8' }, /int8 is for the CPU backend/],
];
for (const [name, options, message] of REFUSED) {
  test(`${name} is BAD_ARGUMENT`, async () => {
    const error = await refusal(build(options));
    assert.is(error.code, 'BAD_ARGUMENT');
    assert.match(error.message, message);
  });
}

withRtx('a 3d graph with a tensor of 2^31 elements is refused before building', async () => {
  const error = await refusal(build({ width: 16384, height: 16384, lowering: '3d' }));
  assert.is(error.code, 'BAD_ARGUMENT');
  assert.match(error.message, /2\^31.*2d lowering/);
});

testWith(test, 'addon')('a named path without TensorRT in it is BACKEND_UNAVAILABLE', async () => {
  const error = await refusal(build({ tensorrtPath: '/nowhere' }));
  assert.is(error.code, 'BACKEND_UNAVAILABLE');
  assert.match(error.message, /No usable TensorRT-RTX library.*\/nowhere.*flavr doctor/);
});

test.run();
