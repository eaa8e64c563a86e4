import * as ort from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openCpuSession } from '../../ts/backends/cpu.js';
import { estimateCpuMemory } from '../../ts/backends/cpu-memory.js';
import { CPU_LOWERING, cpuSessionOptions } from '../../ts/backends/cpu-options.js';
import { findBlock } from '../../ts/backends/find-block.js';
import { frameFormat } from '../../ts/frame.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { frameFeeds, goldenModel, maxDifference, roundedOutputs, runOnnx } from '../graph/support.js';

const WITHOUT_BLOCKS = new URL('./without-blocks.js', import.meta.url);
const { golden, model } = await goldenModel('tiny8-k2');
const { width, height } = golden;

async function infer(program?: URL) {
  const format = frameFormat({ width, height });
  const one = { factors: [2], batch: 1, inFlight: 1, threads: 1 };
  const session = await openCpuSession({ model, format, precision: 'fp32', ...one }, program);
  try {
    const lane = session.openLane(golden.frames.length);
    const slots = golden.frames.map((frame) => lane.upload(frame));
    const [result] = await session.infer({ factor: 2, windows: [{ slots }] });
    return { frame: result!.frames[0]!, memory: session.stats().memoryBytes };
  } finally {
    await session.dispose();
  }
}

test('where ONNX Runtime has no blocks of channels, a session runs the same graph in order, fp32, to the last bit', async () => {
  const { frame, memory } = await infer(WITHOUT_BLOCKS);
  const plain = buildGraph(model, { width, height, lowering: CPU_LOWERING, precision: 'fp32' });
  const { interpolated } = await runOnnx(plain.bytes, frameFeeds(golden.frames, height, width), cpuSessionOptions(1));
  assert.equal(frame, interpolated!.data);
  assert.ok(maxDifference(frame, roundedOutputs(golden.outputs)) <= 1);
  const { fixed, perFrameSize } = estimateCpuMemory(model, plain);
  assert.is(memory, fixed + perFrameSize);
});

test('elsewhere it runs the graph in blocks, which was refused there', async () => {
  const block = await findBlock(ort);
  if (block === 1) {
    console.log('SKIPPED a session in blocks: ONNX Runtime convolves in none here');
    return;
  }
  const { frame, memory } = await infer();
  assert.ok(maxDifference(frame, roundedOutputs(golden.outputs)) <= 1);
  const spec = { width, height, lowering: CPU_LOWERING, block, fed: true } as const;
  const { fixed, perFrameSize } = estimateCpuMemory(model, buildGraph(model, spec));
  assert.is(memory, fixed + perFrameSize);
});

test.run();
