import type * as ort from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { BUNDLED_MODELS } from '../../ts/model/bundled.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { loadModel } from '../../ts/model/load.js';
import { ElementType } from '../../ts/model/onnx/proto.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { encodeModel } from '../../ts/model/onnx/writer.js';
import { openSource } from '../../ts/video/source.js';
import { FULL_WIDTH_GOLDENS, TINY_GOLDENS } from '../support/goldens.js';
import { emulateHalf } from './emulate-half.js';
import { clampedPsnr, frameFeeds, goldenModel, rawFeeds, runOnnx } from './support.js';

// Optimizers may take a cast to half and back for nothing; with them off, what is written is what runs.
const AS_WRITTEN: ort.InferenceSession.SessionOptions = { graphOptimizationLevel: 'disabled' };

for (const name of [...TINY_GOLDENS, ...FULL_WIDTH_GOLDENS]) {
  test(`${name} holds at 55 dB with every node's output rounded to half`, async () => {
    const { golden, model } = await goldenModel(name);
    const { width, height } = golden;
    const feeds = rawFeeds(golden.raw, model.config, height, width);
    const psnr: string[] = [];
    // The 2d lowering rounds its partial sums as well; two full-width vectors show what that costs.
    const lowerings = /^tiny8|^r18-k2$|^r34/.test(name) ? (['3d', '2d'] as const) : (['3d'] as const);
    for (const lowering of lowerings) {
      const { bytes } = buildGraph(model, { width, height, lowering, precision: 'fp16', form: 'raw' });
      const emulated = encodeModel(emulateHalf(decodeModel(bytes)));
      const { interpolated } = await runOnnx(emulated, feeds, AS_WRITTEN);
      const decibels = clampedPsnr(interpolated!.data as Float32Array, golden.outputs.data);
      assert.ok(decibels >= 55, `${lowering}: ${decibels} dB`);
      psnr.push(`${lowering} ${decibels.toFixed(1)} dB`);
    }
    console.log(`\nNOTE ${name} in emulated half precision: ${psnr.join(', ')}`);
  });
}

// Half reaches 65504; what real frames make must stay far below.
const MOST = 2 ** 12;

async function clipFrames(): Promise<{ frames: Uint8Array[]; width: number; height: number }> {
  const source = await openSource('test/fixtures/video/bunny-cut.mp4');
  try {
    const frames: Uint8Array[] = [];
    for await (const { data } of source.frames()) frames.push(data);
    return { frames, width: source.info.width, height: source.info.height };
  } finally {
    await source.close();
  }
}

/** The layer that a value belongs to. */
const layerOf = (name: string): string | undefined =>
  /^(encoder\.(?:stem|layer\d\.\d+)|decoder\.\d|feature_fuse|outconv)/.exec(name)?.[1];

for (const { name } of BUNDLED_MODELS) {
  test(`${name}: no value of any layer comes near half's range on a real clip`, async () => {
    const model = await loadModel(name);
    const { frames, width, height } = await clipFrames();
    const graph = decodeModel(buildGraph(model, { width, height }).bytes);
    const inner = graph.values.filter((value) => layerOf(value.name) && value.type === ElementType.float32);
    const tapped = encodeModel({ ...graph, outputs: [...graph.outputs, ...inner] });
    const largest = new Map<string, number>();
    const inputs = model.kind === 'weights' ? model.config.inputs : model.inputs;
    for (let first = 0; first + inputs <= frames.length; first += 4) {
      const values = await runOnnx(tapped, frameFeeds(frames.slice(first, first + inputs), height, width));
      for (const { name: value } of inner) {
        const layer = layerOf(value)!;
        const data = values[value]!.data as Float32Array;
        largest.set(
          layer,
          data.reduce((most, x) => Math.max(most, Math.abs(x)), largest.get(layer) ?? 0),
        );
      }
    }
    const list = [...largest].map(([layer, most]) => `${layer} ${most.toFixed(1)}`);
    console.log(`\nNOTE ${name}, max |x| by layer: ${list.join(', ')}`);
    for (const [layer, most] of largest) assert.ok(most < MOST, `${layer} reaches ${most}`);
  });

  test(`${name}: in emulated half precision a real clip's frames hold at 55 dB`, async () => {
    const model = await loadModel(name);
    const { frames, width, height } = await clipFrames();
    const feeds = frameFeeds(frames.slice(2, 6), height, width);
    const exact = await runOnnx(buildGraph(model, { width, height }).bytes, feeds);
    for (const lowering of ['3d', '2d'] as const) {
      const { bytes } = buildGraph(model, { width, height, lowering, precision: 'fp16' });
      const half = await runOnnx(encodeModel(emulateHalf(decodeModel(bytes))), feeds, AS_WRITTEN);
      const [a, b] = [exact, half].map(({ interpolated }) =>
        Float32Array.from(interpolated!.data as Uint8Array, (x) => x / 255),
      );
      const decibels = clampedPsnr(a!, b!);
      assert.ok(decibels >= 55, `${lowering}: ${decibels} dB`);
    }
  });
}

test.run();
