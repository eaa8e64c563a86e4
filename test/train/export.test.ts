import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { WeightsModel } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { loadModel } from '../../ts/model/load.js';
import { maxDifference, rawFeeds, runOnnx } from '../graph/support.js';

const PYTHON = process.env.FLAVR_PYTHON ?? 'python3';
const SCRIPTS = resolve('scripts/train');
const MODULES = ['torch', 'av', 'safetensors', 'matplotlib', 'PIL'];

function python(...words: string[]): void {
  const env = { ...process.env, PYTHONPATH: SCRIPTS, PYTHONDONTWRITEBYTECODE: '1' };
  const { status, stderr } = spawnSync(PYTHON, words, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`python ${words.join(' ')} exited with ${status}: ${stderr}`);
}

function floats(path: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

const name = 'a model trained for a few steps computes the same in ONNX Runtime as in PyTorch';
if (spawnSync(PYTHON, ['-c', `import ${MODULES.join(', ')}`]).status !== 0) {
  console.log(`SKIPPED ${name}: ${PYTHON} lacks ${MODULES.join(', ')} (FLAVR_PYTHON names another)`);
} else {
  test(name, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'flavr-train-'));
    try {
      const model = join(folder, 'tiny.safetensors');
      const shape = '--nf 4 --factor 4 --residual blend --crop 16'.split(' ');
      const run = '--batch 2 --steps 3 --warmup 1 --lr 1e-2 --workers 0 --threads 1'.split(' ');
      python(join(SCRIPTS, 'train.py'), '--folder', join(folder, 'run'), ...shape, ...run);
      const notes = ['--data-note', 'procedural motion', '--licence', 'MIT'];
      python(join(SCRIPTS, 'export.py'), '--checkpoint', join(folder, 'run', 'last.pt'), ...notes, '-o', model);
      python(join(SCRIPTS, 'tests', 'reference.py'), model, folder);

      const loaded = (await loadModel(model)) as WeightsModel;
      const { factor, residual, inputs } = loaded.config;
      assert.equal({ factor, residual, inputs }, { factor: 4, residual: 'blend', inputs: 4 });
      const { steps, data, licence, objective } = loaded.metadata;
      assert.equal(
        { steps, data, licence, objective },
        { steps: '3', data: 'procedural motion', licence: 'MIT', objective: 'L1' },
      );

      const { bytes } = buildGraph(loaded, { width: 40, height: 24, form: 'raw' });
      const { interpolated } = await runOnnx(
        bytes,
        rawFeeds(floats(join(folder, 'frames.f32')), loaded.config, 24, 40),
      );
      const difference = maxDifference(interpolated!.data as Float32Array, floats(join(folder, 'outputs.f32')));
      assert.ok(difference <= 1e-5, `${difference} apart`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test.run();
