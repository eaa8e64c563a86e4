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
import { flavr } from '../support/cli.js';

const PYTHON = process.env.FLAVR_PYTHON ?? 'python3';
const SCRIPTS = resolve('scripts/train');
const MODULES = ['torch', 'av', 'safetensors', 'matplotlib', 'PIL'];

function python(...words: string[]): void {
  const env = { ...process.env, PYTHONPATH: SCRIPTS, PYTHONDONTWRITEBYTECODE: '1' };
  const { status, stderr } = spawnSync(PYTHON, words, { encoding: 'utf8', env });
  if (status !== 0) throw new Error(`python ${words.join(' ')} exited with ${status}: ${stderr}`);
}

/** The commit of the working tree as a pattern: files may be changed beside it while the tests run. */
function commit(): string {
  const { stdout } = spawnSync('git', ['describe', '--always', '--abbrev=12'], { encoding: 'utf8' });
  return `${stdout.trim()}\\+?`;
}

function floats(path: string): Float32Array {
  const { buffer, byteOffset, byteLength } = readFileSync(path);
  return new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength));
}

const NAMES = [
  'a model trained for a few steps computes the same in ONNX Runtime as in PyTorch',
  'flavr inspect shows how an exported model was trained',
];
if (spawnSync(PYTHON, ['-c', `import ${MODULES.join(', ')}`]).status !== 0) {
  for (const name of NAMES) {
    console.log(`SKIPPED ${name}: ${PYTHON} lacks ${MODULES.join(', ')} (FLAVR_PYTHON names another)`);
  }
} else {
  const folder = mkdtempSync(join(tmpdir(), 'flavr-train-'));
  const model = join(folder, 'tiny.safetensors');

  test.before(() => {
    const shape = '--nf 4 --factor 4 --residual blend --crop 16 --objective psnr --consistency 0.5'.split(' ');
    const run = '--batch 2 --steps 3 --warmup 1 --lr 1e-2 --workers 0 --threads 1'.split(' ');
    python(join(SCRIPTS, 'train.py'), '--folder', join(folder, 'run'), ...shape, ...run);
    const notes = ['--data-note', 'procedural motion', '--licence', 'MIT'];
    python(join(SCRIPTS, 'export.py'), '--checkpoint', join(folder, 'run', 'last.pt'), ...notes, '-o', model);
  });
  test.after(() => rmSync(folder, { recursive: true }));

  test(NAMES[0]!, async () => {
    python(join(SCRIPTS, 'tests', 'reference.py'), model, folder);
    const loaded = (await loadModel(model)) as WeightsModel;
    const { bytes } = buildGraph(loaded, { width: 40, height: 24, form: 'raw' });
    const feeds = rawFeeds(floats(join(folder, 'frames.f32')), loaded.config, 24, 40);
    const { interpolated } = await runOnnx(bytes, feeds);
    const difference = maxDifference(interpolated!.data as Float32Array, floats(join(folder, 'outputs.f32')));
    assert.ok(difference <= 1e-5, `${difference} apart`);
  });

  test(NAMES[1]!, async () => {
    const { code, stdout } = await flavr(['inspect', model]);
    assert.is(code, 0);
    assert.match(stdout, 'tiny.safetensors: weights of a FLAVR network, r3d-18 (safetensors)');
    const fields = { factor: '4', residual: 'blend', inputs: '4 frames' };
    for (const [field, value] of Object.entries(fields))
      assert.match(stdout, new RegExp(`^  ${field} +\\w+ +${value}$`, 'm'));
    const metadata = {
      block: 'unet_18',
      factor: '4',
      residual: 'blend',
      data: 'procedural motion',
      steps: '3',
      objective: 'PSNR',
      consistency: '0.5',
      commit: commit(),
      licence: 'MIT',
    };
    for (const [name, value] of Object.entries(metadata))
      assert.match(stdout, new RegExp(`^  ${name}: ${value}$`, 'm'));
  });
}

test.run();
