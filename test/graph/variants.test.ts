import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildGraph } from '../../ts/model/graph/build.js';
import { rawInput } from '../support/goldens.js';
import { maxDifference, rawFeeds, readVariants, runOnnx } from './support.js';

for (const [name, { model, height, width, frames, outputs }] of await readVariants()) {
  for (const lowering of ['3d', '2d', 'winograd'] as const) {
    test(`${name}, ${lowering}: as in PyTorch`, async () => {
      const { bytes } = buildGraph(model, { width, height, lowering, form: 'raw' });
      const { interpolated } = await runOnnx(
        bytes,
        rawFeeds(rawInput(frames, width * height), model.config, height, width),
      );
      assert.equal(interpolated!.dims, [1, ...outputs.shape]);
      const largest = outputs.data.reduce((most, x) => Math.max(most, Math.abs(x)), 1);
      const difference = maxDifference(interpolated!.data as Float32Array, outputs.data);
      assert.ok(difference <= 2e-5 * largest, `${difference} off, values up to ${largest}`);
    });
  }
}

test.run();
