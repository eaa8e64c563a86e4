import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Report } from '../../ts/evaluate/report.js';
import { encodeCalibration } from '../../ts/model/calibration.js';
import { packageRoot } from '../../ts/package.js';
import { CLI, flavr, SAMPLE } from '../support/cli.js';
import { GOLDENS } from '../support/goldens.js';

const CUT = join(packageRoot(), 'test/fixtures/video/bunny-cut.mp4');
const TINY = join(packageRoot(), GOLDENS, 'tiny8-k2.weights.safetensors');
const VIDEO = ['evaluate', '--dataset', 'video', '--data', CUT, '--backend', 'cpu'];

let folder: string;
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'flavr-evaluate-'));
});
test.after.each(() => rmSync(folder, { recursive: true, force: true }));

test('several models and baselines run side by side; the files and the document hold the same figures', async () => {
  const words = [...VIDEO, '--model', `${TINY}@cpu`, '--compare', 'mini-2x', '--compare', '@auto', '--limit', '2'];
  const { code, stdout, stderr } = await flavr([...words, '--csv', 'r.csv', '--html', 'r.html', '--json'], {
    cwd: folder,
  });
  assert.is(code, 0, stderr);
  const [set] = (JSON.parse(stdout) as Report).sets;
  const names = ['tiny8-k2.weights.safetensors@cpu', 'mini-2x', 'tiny8-k2.weights.safetensors@auto'];
  assert.equal(
    set!.methods.map(({ method }) => method),
    [...names, 'blend', 'nearest', 'minterpolate'],
  );
  assert.is(set!.methods[0]!.psnr, set!.methods[2]!.psnr);
  assert.ok(set!.methods[1]!.psnr > set!.methods[0]!.psnr);
  assert.is(set!.comparisons.length, 5);
  const rows = readFileSync(join(folder, 'r.csv'), 'utf8').trimEnd().split('\n');
  assert.is(rows.length, 1 + 6 * 2);
  assert.ok(rows[1]!.includes(String(set!.methods[0]!.samples[0]!.psnr[0])));
  const page = readFileSync(join(folder, 'r.html'), 'utf8');
  for (const { method } of set!.methods) assert.ok(page.includes(method), method);
});

test('one model in two precisions', async () => {
  const calibrated = await flavr(['calibrate', CUT, '-o', 'c.json', '--windows', '2'], { cwd: folder });
  assert.is(calibrated.code, 0, calibrated.stderr);
  const words = [...VIDEO, '--compare', '@int8', '--calibration', 'c.json', '--baselines', 'none', '--limit', '1'];
  const { code, stdout, stderr } = await flavr([...words, '--json'], { cwd: folder });
  assert.is(code, 0, stderr);
  const [fp32, int8] = (JSON.parse(stdout) as Report).sets[0]!.methods;
  assert.equal([fp32!.method, int8!.method], ['mini-2x', 'mini-2x@int8']);
  assert.is.not(fp32!.psnr, int8!.psnr);
  assert.ok(Math.abs(fp32!.psnr - int8!.psnr) < 1, `${fp32!.psnr} dB in fp32, ${int8!.psnr} dB in int8`);
});

test('where no model is named, it is the one that the calibration was measured on', async () => {
  const eightfold = ['calibrate', CUT, '-o', 'c.json', '--windows', '1', '--model', 'mini-8x'];
  const calibrated = await flavr(eightfold, { cwd: folder });
  assert.is(calibrated.code, 0, calibrated.stderr);
  const int8 = ['--precision', 'int8', '--calibration', 'c.json'];
  const words = [...VIDEO, ...int8, '--baselines', 'none', '--limit', '1', '--json'];
  const evaluated = await flavr(words, { cwd: folder });
  assert.is(evaluated.code, 0, evaluated.stderr);
  assert.is((JSON.parse(evaluated.stdout) as Report).sets[0]!.methods[0]!.method, 'mini-8x');
  const exported = await flavr(['export', ...int8, '--size', '32x16', '-o', 'x.onnx', '--json'], { cwd: folder });
  assert.is(exported.code, 0, exported.stderr);
  assert.is(JSON.parse(exported.stdout).model, 'mini-8x');
});

test('people get a table, and a resumed run gives the same one', async () => {
  const words = [...VIDEO, '--baselines', 'blend', '--limit', '2', '--resume', 'journal'];
  const first = await flavr(words, { cwd: folder });
  assert.is(first.code, 0, first.stderr);
  assert.match(first.stdout, /mini-2x +\d\d\.\d\d +0\.\d{4} +unrounded +2 +0/);
  const size = readFileSync(join(folder, 'journal')).length;
  const second = await flavr(words, { cwd: folder });
  assert.is(second.stdout, first.stdout);
  assert.is(readFileSync(join(folder, 'journal')).length, size);
});

test('a wrong folder says what was expected and what was found, and leaves no files', async () => {
  mkdirSync(join(folder, 'empty'));
  const words = ['evaluate', '--dataset', 'davis', '--data', 'empty', '--csv', 'r.csv', '--backend', 'cpu'];
  const { code, stdout, stderr } = await flavr(words, { cwd: folder });
  assert.is(code, 1);
  assert.is(stdout, '');
  assert.match(
    stderr,
    /^flavr: DATASET_INVALID: empty: expected one folder of frames per sequence.*; found nothing\./m,
  );
  assert.not.ok(existsSync(join(folder, 'r.csv')));
});

for (const [what, words, message] of [
  ['an unknown data set', ['--dataset', 'imagenet', '--data', '.'], /names are video, snu-film/],
  ['no data', ['--dataset', 'video'], /needs --data PATH/],
  ['a factor that the protocol does not have', ['--dataset', 'davis', '--data', '.', '-k', '3'], /k = 2; got 3/],
  ['an unknown baseline', ['--dataset', 'video', '--data', SAMPLE, '--baselines', 'rife'], /--baselines must be/],
  [
    'a calibration, and nothing in int8',
    ['--dataset', 'video', '--data', SAMPLE, '--calibration', 'c.json'],
    /A calibration is for precision int8/,
  ],
  ['int8 without a calibration', ['--dataset', 'video', '--data', SAMPLE, '--compare', '@int8'], /calibration/],
  [
    'a place that there is not',
    ['--dataset', 'video', '--data', SAMPLE, '--compare', '@cuda'],
    /@cuda: after @ comes a backend/,
  ],
  [
    'two precisions of one model',
    ['--dataset', 'video', '--data', SAMPLE, '--compare', '@cpu@fp16@fp32'],
    /@cpu@fp16@fp32 names two backends or two precisions/,
  ],
  [
    'one file for the page and the figures',
    ['--dataset', 'video', '--data', SAMPLE, '--csv', 'report', '--html', './report', '--overwrite'],
    /--csv and --html are one file/,
  ],
  [
    'the video as the file for the figures',
    ['--dataset', 'video', '--data', 'clip.mp4', '--csv', 'link.mp4', '--overwrite'],
    /--data and --csv are one file/,
  ],
  ['a model given twice', ['--dataset', 'video', '--data', SAMPLE, '--compare', 'mini-2x'], /would be called mini-2x/],
] as const) {
  test(`wrong usage: ${what}`, async () => {
    writeFileSync(
      join(folder, 'c.json'),
      encodeCalibration({ model: 'mini-2x', hash: '', windows: 1, ranges: new Map() }),
    );
    copyFileSync(CUT, join(folder, 'clip.mp4'));
    symlinkSync('clip.mp4', join(folder, 'link.mp4'));
    const before = readdirSync(folder);
    const { code, stderr } = await flavr(['evaluate', ...words, '--backend', 'cpu'], { cwd: folder });
    assert.is(code, 2, stderr);
    assert.match(stderr, message);
    assert.equal(readdirSync(folder), before);
  });
}

test('where the protocol has its own k, the model is the bundled one with the fewest passes for it', async () => {
  const clip = join(folder, 'gopro', 'test', 'GOPR0384');
  mkdirSync(clip, { recursive: true });
  const png = await sharp({ create: { width: 32, height: 24, channels: 3, background: '#456' } })
    .png()
    .toBuffer();
  for (let n = 1; n <= 25; n++) writeFileSync(join(clip, `${String(n).padStart(6, '0')}.png`), png);
  const words = ['evaluate', '--dataset', 'gopro', '--data', 'gopro', '--backend', 'cpu', '--baselines', 'none'];
  const { code, stdout, stderr } = await flavr([...words, '--json'], { cwd: folder });
  assert.is(code, 0, stderr);
  const [set] = (JSON.parse(stdout) as Report).sets;
  assert.equal([set!.factor, set!.methods[0]!.method, set!.methods[0]!.output], [8, 'mini-8x', 'unrounded']);
});

test('a full disk for the scores is told', async () => {
  if (spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', folder]).status !== 0) {
    console.log('SKIPPED a full disk for the scores: mounting a small file system is not permitted here');
    return;
  }
  const run = (room: string) => {
    const script = `mount -t tmpfs -o size=8k tmpfs "$0" && head -c ${room} /dev/zero >"$0/full" && "$@"`;
    const wrapper = ['unshare', '-rm', 'sh', '-c', script, folder];
    return flavr([...VIDEO, '--baselines', 'blend,nearest', '--resume', join(folder, 'journal')], { wrapper });
  };
  for (const [room, code] of [
    ['8192', 'BAD_ARGUMENT'],
    ['4096', 'VIDEO_UNWRITABLE'],
  ] as const) {
    assert.match(
      (await run(room)).stderr,
      new RegExp(`^flavr: ${code}: .*journal cannot be written: the disk is full`, 'm'),
    );
  }
});

test('Ctrl-C in the middle ends it with 130, without a page, and the journal keeps what was measured', async () => {
  const words = ['evaluate', '--dataset', 'video', '--data', SAMPLE, '--backend', 'cpu', '--html', 'r.html'];
  const child = spawn(process.execPath, [CLI, ...words, '--resume', 'journal'], { cwd: folder });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const journal = () => (existsSync(join(folder, 'journal')) ? readFileSync(join(folder, 'journal'), 'utf8') : '');
  const timer = setInterval(() => {
    if (journal().split('\n').length <= 3) return;
    clearInterval(timer);
    child.kill('SIGINT');
  }, 20);
  const [code] = await once(child, 'close');
  assert.is(code, 130, stderr);
  assert.match(stderr, /^flavr: ABORTED: /m);
  assert.equal(readdirSync(folder), ['journal']);
  const [, ...scores] = journal().trimEnd().split('\n');
  assert.ok(scores.every((line) => JSON.parse(line).score.psnr.length === 1));
});

test.run();
