import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type BuiltOptions, builtModel } from '../../ts/engine/built.js';
import { writeEngine } from '../../ts/engine/file.js';
import type { FlavrError } from '../../ts/errors.js';
import { Interpolator } from '../../ts/interpolator.js';
import { engineOf, temporaryFolder } from './support.js';

const path = join(temporaryFolder(), 'some.engine');
const engine = engineOf(64);
const { width, height, batch, factor, inputs } = engine.header;
await writeEngine(path, engine);

async function refusal(run: Promise<unknown>): Promise<FlavrError> {
  return run.then(
    () => assert.unreachable('should have been refused'),
    (error) => error,
  );
}

test('an engine says which backend, batch, factor and window it is for', async () => {
  const built = await builtModel(path, { width, height, backend: 'auto' });
  assert.is(built.batch, batch);
  assert.is(built.backend, engine.header.family === 'tensorrt-rtx' ? 'tensorrt-rtx' : 'tensorrt');
  assert.is(built.model.factor, factor);
  assert.is(built.model.inputs, inputs);
});

test('what an engine was not built for is refused, naming what was asked and what was built', async () => {
  const wrong: [Partial<BuiltOptions>, RegExp][] = [
    [{ width: width + 1 }, new RegExp(`frames of ${width}x${height}; asked for: ${width + 1}x${height}`)],
    [{ batch: batch + 1 }, new RegExp(`batch ${batch}; asked for: ${batch + 1}`)],
    [{ precision: 'fp64' }, /precision .*; asked for: fp64/],
    [{ backend: 'cpu' }, /backend tensorrt.*; asked for: cpu/],
  ];
  for (const [options, words] of wrong) {
    const { code, message } = await refusal(builtModel(path, { width, height, ...options }));
    assert.is(code, 'ENGINE_INCOMPATIBLE');
    assert.match(message, words);
  }
});

test('open takes either a model or an engine', async () => {
  const both = Interpolator.open({ width, height, engine: path, model: 'mini-2x' });
  assert.is((await refusal(both)).code, 'BAD_ARGUMENT');
});

test('an engine is never run by another backend than its own', async () => {
  // On a machine with a GPU its library refuses the content, which is no engine.
  const { code } = await refusal(Interpolator.open({ width, height, engine: path }));
  assert.ok(['BACKEND_UNAVAILABLE', 'ENGINE_INCOMPATIBLE'].includes(code), code);
});

test.run();
