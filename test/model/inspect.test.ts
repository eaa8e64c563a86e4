import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatInspection } from '../../ts/cli/inspection.js';
import { type Engine, writeEngine } from '../../ts/engine/file.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import { inspectModel, type WeightsInspection } from '../../ts/model/inspect.js';
import { loadModel } from '../../ts/model/load.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { encodeModel } from '../../ts/model/onnx/writer.js';
import { GOLDENS } from '../support/goldens.js';

const test = suite('inspection');
const folder = mkdtempSync(join(tmpdir(), 'flavr-inspect-'));
test.after(() => rmSync(folder, { recursive: true }));

const inspectWeights = async (...args: Parameters<typeof inspectModel>) =>
  (await inspectModel(...args)) as WeightsInspection;

test('a checkpoint is told by its variant, format, parameters and factors', async () => {
  const inspection = await inspectWeights(`${GOLDENS}/tiny8-k8.legacy.pth`);
  assert.is(inspection.kind, 'weights');
  assert.is(inspection.format, 'torch-legacy');
  assert.is(inspection.variant, 'r3d-18');
  assert.equal(inspection.factors, [2, 4, 8, 16, 32, 64]);
  assert.equal(inspection.metadata, { epoch: '3', best_psnr: '31.25', lr: '0.0002' });
});

test('the cost of a window is for the size asked for, 512x512 by default', async () => {
  const half = await inspectWeights('mini-2x', { width: 512, height: 256 });
  const full = await inspectWeights('mini-2x');
  assert.equal([full.width, full.height], [512, 512]);
  assert.is(full.estimate.parameters, 2_637_475);
  const ratio = full.estimate.paperFlops / half.estimate.paperFlops;
  assert.ok(Math.abs(ratio - 2) < 1e-3, String(ratio));
});

test('the lines for people name each field and what decided it', async () => {
  const text = formatInspection(await inspectModel('mini-2x')).join('\n');
  assert.match(text, 'mini-2x: weights of a FLAVR network, r3d-18 (safetensors)');
  assert.match(text, /^ {2}residual +metadata +blend$/m);
  assert.match(text, /^ {2}widths +tensors +stem 16; stages 16 32 64 128;/m);
  assert.match(text, /^parameters +2,637,475 \(10\.6 MB\)$/m);
  assert.match(text, /^factors +2, 4, 8, 16, 32, 64 \(2 in one pass\)$/m);
});

test('terminal commands in metadata are not printed', async () => {
  const inspection = { ...(await inspectWeights('mini-2x')), metadata: { note: '\u001b[2Jgone' } };
  assert.match(formatInspection(inspection).join('\n'), '  note: ?[2Jgone');
});

test('a graph of other makers is told by its fixed size and its cost', async () => {
  const path = join(folder, 'foreign.onnx');
  const model = await loadModel(`${GOLDENS}/tiny8-k2.zip.pth`);
  // Without flavr's own metadata, its raw export is what others would export from PyTorch.
  const { bytes } = buildGraph(model, { width: 64, height: 48, form: 'raw' });
  writeFileSync(path, encodeModel({ ...decodeModel(bytes), metadata: {} }));
  const inspection = await inspectModel(path);
  assert.is(inspection.kind, 'graph');
  const own = await inspectWeights(`${GOLDENS}/tiny8-k2.zip.pth`, { width: 64, height: 48 });
  const { width, height, estimate } = inspection as WeightsInspection;
  assert.equal([width, height], [64, 48]);
  assert.ok(Math.abs(estimate.usefulFlops / own.estimate.usefulFlops - 1) < 0.01);
  assert.match(formatInspection(inspection).join('\n'), /^work .* per window at 64x48/m);
});

test('a graph that flavr exported is told by its own facts', async () => {
  const path = join(folder, 'exported.onnx');
  const model = await loadModel(`${GOLDENS}/tiny8-k8.zip.pth`);
  writeFileSync(path, buildGraph(model, { width: 53, height: 37, factor: 4, lowering: '2d' }).bytes);
  const inspection = await inspectModel(path);
  assert.is(inspection.kind, 'export');
  const text = formatInspection(inspection).join('\n');
  assert.match(text, 'exported.onnx: a graph exported by flavr');
  for (const fact of ['k: 4', 'width: 53', 'height: 37', 'lowering: 2d', `hash: ${model.hash}`])
    assert.match(text, fact);
});

test('an engine is told by its header, without a driver', async () => {
  const path = join(folder, 'model.engine');
  const { estimate } = await inspectWeights(`${GOLDENS}/tiny8-k2.zip.pth`);
  const engine: Engine = {
    header: {
      model: { name: 'tiny', hash: 'abc', factor: 2 },
      width: 640,
      height: 360,
      factor: 2,
      inputs: 4,
      batch: 1,
      precision: 'fp16',
      lowering: '3d',
      form: 'framed',
      frameStride: 691_200,
      estimate,
      family: 'tensorrt-rtx',
      version: '1.7.0',
      target: { kind: 'capabilities', computeCapabilities: ['8.9', '12.0'] },
      flavr: '0.1.0',
    },
    plan: new Uint8Array(1000),
  };
  await writeEngine(path, engine);
  const inspection = await inspectModel(path);
  assert.equal(inspection, { kind: 'engine', name: 'model.engine', header: { ...engine.header, planBytes: 1000 } });
  const text = formatInspection(inspection).join('\n');
  assert.match(text, 'model.engine: an engine for tensorrt-rtx 1.7.0');
  assert.match(text, 'compute capability 8.9, 12.0');
  assert.match(text, '4 of 640x360, batch 1; k = 2');
});

test.run();
