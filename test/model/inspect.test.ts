import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { formatInspection, inspectModel, type WeightsInspection } from '../../ts/model/inspect.js';
import { GOLDENS } from '../support/goldens.js';

const test = suite('inspection');

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
  assert.match(text, /^parameters +2,637,475 \(10\.6 MB as float32\)$/m);
  assert.match(text, /^factors +2, 4, 8, 16, 32, 64 \(2 in one pass\)$/m);
});

test('terminal commands in metadata are not printed', async () => {
  const inspection = { ...(await inspectWeights('mini-2x')), metadata: { note: '\u001b[2Jgone' } };
  assert.match(formatInspection(inspection).join('\n'), '  note: ?[2Jgone');
});

test.run();
