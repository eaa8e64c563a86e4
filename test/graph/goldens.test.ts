import * as ort from 'onnxruntime-node';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { findBlock } from '../../ts/backends/find-block.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import type { Lowering, Precision } from '../../ts/model/graph-spec.js';
import { FULL_WIDTH_GOLDENS, TINY_GOLDENS } from '../support/goldens.js';
import { clampedPsnr, frameFeeds, goldenModel, maxDifference, rawFeeds, roundedOutputs, runOnnx } from './support.js';

const LOWERINGS: readonly Lowering[] = ['3d', '2d', 'winograd'];
/** The winograd lowering is for fp32 alone. */
const PROMISES = {
  '3d': 'fp32 within tolerance, fp16 at 55 dB',
  '2d': 'fp32 within tolerance, fp16 at 55 dB',
  winograd: 'fp32 within tolerance',
};

for (const name of [...TINY_GOLDENS, ...FULL_WIDTH_GOLDENS]) {
  const differences: string[] = [];
  for (const lowering of LOWERINGS) {
    test(`${name}, raw, ${lowering}: ${PROMISES[lowering]}`, async () => {
      const { golden, model } = await goldenModel(name);
      const { width, height, outputs } = golden;
      const run = async (precision: Precision, block = 1) => {
        const { bytes } = buildGraph(model, { width, height, precision, lowering, block, form: 'raw' });
        const { interpolated } = await runOnnx(bytes, rawFeeds(golden.raw, model.config, height, width));
        assert.equal(interpolated!.dims, [1, ...outputs.shape]);
        return interpolated!.data as Float32Array;
      };
      const difference = maxDifference(await run('fp32'), outputs.data);
      assert.ok(difference <= (name.startsWith('r34') ? 1e-4 : 2e-5), `fp32 is ${difference} off`);
      differences.push(`${lowering} ${difference.toExponential(1)}`);
      if (lowering === 'winograd') {
        const inBlocks = maxDifference(await run('fp32', await findBlock(ort)), outputs.data);
        assert.ok(inBlocks <= (name.startsWith('r34') ? 1e-4 : 2e-5), `in blocks, fp32 is ${inBlocks} off`);
        differences.push(`in blocks ${inBlocks.toExponential(1)}`);
        console.log(`\nNOTE ${name}, largest difference in fp32: ${differences.join(', ')}`);
        return;
      }
      const psnr = clampedPsnr(await run('fp16'), outputs.data);
      assert.ok(psnr >= 55, `fp16 has ${psnr} dB`);
    });
  }
}

for (const name of ['tiny8-k2', 'tiny8-k8', 'r18-k2', 'r18-k8'] as const) {
  for (const lowering of LOWERINGS) {
    test(`${name}, framed, ${lowering}: bytes agree with the rounded vectors`, async () => {
      const { golden, model } = await goldenModel(name);
      const { width, height, outputs } = golden;
      const expected = roundedOutputs(outputs);
      const run = async (precision: Precision) => {
        const { bytes } = buildGraph(model, { width, height, precision, lowering });
        const { interpolated, peak } = await runOnnx(bytes, frameFeeds(golden.frames, height, width));
        assert.equal(interpolated!.dims, [1, outputs.shape[0], height, width, 3]);
        const largest = outputs.data.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
        assert.ok(Math.abs((peak!.data as Float32Array)[0]! - largest) < 1e-3, 'peak is the largest magnitude');
        return interpolated!.data as Uint8Array;
      };
      const bytes = await run('fp32');
      assert.ok(maxDifference(bytes, expected) <= 1, 'no byte is off by more than 1');
      const off = bytes.reduce((count, byte, i) => count + Number(byte !== expected[i]), 0);
      assert.ok(off <= bytes.length / 1000, `${off} of ${bytes.length} bytes differ`);
      if (lowering === 'winograd') return;
      const unit = (values: ArrayLike<number>) => Float32Array.from(values, (value) => value / 255);
      const psnr = clampedPsnr(unit(await run('fp16')), unit(expected));
      assert.ok(psnr >= 55, `fp16 has ${psnr} dB`);
    });
  }
}

test.run();
