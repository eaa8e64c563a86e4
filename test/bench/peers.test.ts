import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { WeightsModel } from '../../ts/model/config.js';
import { loadModel } from '../../ts/model/load.js';
import { temporaryFolder } from '../native/support.js';
import { safetensorsFile } from '../support/safetensors-file.js';

const PYTHON = process.env.FLAVR_PYTHON ?? 'python3';
const MODULES = ['torch', 'safetensors', 'numpy'];
// Minutes of compiling, for a figure that no test looks at.
const QUICK = ['32x16', '--model', 'mini-2x', '--runs', '2', '--threads', '1', '--skip', 'torch.compile'];
const PLAIN = ['PyTorch', 'PyTorch, channels last', 'PyTorch, batch of 2', 'PyTorch autocast'];

interface Row {
  readonly name: string;
  readonly ours: boolean;
  readonly device: string;
  readonly precision: string;
  readonly status: 'timed' | 'refused' | 'absent';
  readonly reason?: string;
  readonly times?: readonly number[];
  readonly agreement?: { readonly maxDifference: number; readonly psnr: number | null };
}

interface Size {
  readonly rows: readonly Row[];
  readonly headlines: readonly { readonly ours: string; readonly precision: string; readonly ratio: number }[];
}

/** Runs the script; its report, and the folder in which it wrote `peers.md`. */
function peers(folder: string, ...words: string[]) {
  const [json, markdown] = [join(folder, 'peers.json'), join(folder, 'peers.md')];
  const files = ['--json', json, '--markdown', markdown];
  const all = ['--import', './test/support/compiled.mjs', 'scripts/bench/peers.mjs', ...QUICK, ...files, ...words];
  const { status, stdout, stderr } = spawnSync(process.execPath, all, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${stderr}\n${stdout}`);
  const { sizes } = JSON.parse(readFileSync(json, 'utf8')) as { sizes: readonly Size[] };
  const { rows, headlines } = sizes[0]!;
  const row = (name: string) => rows.find((candidate) => candidate.name === name)!;
  return { rows, row, headlines, markdown: readFileSync(markdown, 'utf8') };
}

const torchMissing = spawnSync(PYTHON, ['-c', `import ${MODULES.join(', ')}`]).status !== 0;
const testTorch = (name: string, run: () => void | Promise<void>) => {
  if (!torchMissing) return test(name, run);
  console.log(`SKIPPED ${name}: ${PYTHON} lacks ${MODULES.join(', ')} (FLAVR_PYTHON names another)`);
  return test.skip(name, run);
};

test('without PyTorch ours is measured, and every peer is listed with the reason why it is not', () => {
  const folder = temporaryFolder();
  const { rows, row, markdown } = peers(folder, '--python', '/nowhere/python');
  assert.equal(
    rows.filter(({ device, status }) => device === 'cpu' && status === 'timed').map(({ name }) => name),
    ['flavr, raw graph', 'flavr, session'],
  );
  assert.is(row('flavr, raw graph').times!.length, 2);
  for (const name of [...PLAIN, 'ORT, dynamo export', 'ORT, TorchScript export', 'CUDA graphs']) {
    assert.is(row(name).status, 'absent', name);
    assert.match(row(name).reason!, '/nowhere/python cannot be started (ENOENT)');
  }
  assert.match(row('torch.compile').reason!, 'left out by --skip');
  for (const { name } of rows) assert.ok(markdown.includes(name), name);
  assert.ok(existsSync(join(folder, 'peers-32x16.svg')));
});

testTorch('peers with the same weights agree with ours, and are timed in the same rounds', () => {
  const { rows, row, headlines } = peers(temporaryFolder());
  for (const name of PLAIN) {
    const { status, reason, times, precision, agreement } = row(name);
    assert.is(status, 'timed', `${name}: ${reason}`);
    assert.is(times!.length, 2);
    if (precision === 'fp32') assert.ok(agreement!.maxDifference <= 1e-5, `${name}: ${agreement!.maxDifference}`);
  }
  assert.ok(row('PyTorch autocast').agreement!.psnr! > 40);
  for (const ours of ['flavr, raw graph', 'flavr, session']) {
    for (const precision of ['fp32', 'bf16']) {
      assert.ok(headlines.find((headline) => headline.ours === ours && headline.precision === precision)!.ratio > 0);
    }
  }
  // The exporters need more than PyTorch: where it is there they agree, elsewhere they say what is missing.
  for (const { name, status, reason, agreement } of rows.filter((each) => each.name.startsWith('ORT'))) {
    if (status === 'timed') assert.ok(agreement!.maxDifference <= 1e-5, name);
    else assert.match(`${status}: ${reason}`, /^absent: .*onnx/, name);
  }
});

testTorch('a peer with other weights is refused and not timed', async () => {
  const { tensors, metadata } = (await loadModel('mini-2x')) as WeightsModel;
  const name = 'outconv.1.weight';
  const { shape, data } = tensors.get(name)!;
  const wrong = new Map(tensors).set(name, { shape, data: data.map((weight) => weight * 10) });
  const file = join(temporaryFolder(), 'other.safetensors');
  writeFileSync(file, safetensorsFile(wrong, metadata));

  const { rows, row } = peers(temporaryFolder(), '--peer-weights', file, '--skip', 'ORT');
  assert.equal(
    rows.filter(({ device, status }) => device === 'cpu' && status === 'timed').map(({ ours }) => ours),
    [true, true],
  );
  for (const each of PLAIN) {
    assert.is(row(each).status, 'refused', each);
    assert.match(row(each).reason!, /its output (is|has) .* ours; .* (is allowed|is the least)/);
    assert.is(row(each).times, undefined);
  }
});

test('figures written again under one size take the place of the old, and leave the rest of the file', () => {
  const folder = temporaryFolder();
  writeFileSync(
    join(folder, 'peers.md'),
    '# Notes\n\nBefore.\n\n<!-- 32x16 -->\nold\n<!-- end of 32x16 -->\n\nAfter.\n',
  );
  const { markdown } = peers(folder, '--python', '/nowhere/python');
  assert.match(markdown, /^# Notes\n\nBefore\.\n\n<!-- 32x16 -->\n!\[/);
  assert.match(markdown, /\n<!-- end of 32x16 -->\n\nAfter\.\n$/);
  assert.not.match(markdown, /\nold\n/);
});

test.run();
