import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDataSet } from '../../ts/evaluate/data-set.js';
import { evaluate } from '../../ts/evaluate/evaluate.js';
import type { Method } from '../../ts/evaluate/methods.js';
import { modelMethod } from '../../ts/evaluate/model-method.js';
import { PROTOCOLS } from '../../ts/evaluate/protocols.js';
import { evaluateMethods } from '../../ts/evaluate/report.js';
import { reportHtml } from '../../ts/evaluate/report-html.js';
import { GOLDENS } from '../support/goldens.js';
import { writeDataSets } from './make-sets.js';

interface Figures {
  readonly psnr: number[];
  readonly ssim: number[];
  readonly interpolationError?: number[];
}

// Origin: test/fixtures/evaluate/make.py.
const { sets } = JSON.parse(readFileSync('test/fixtures/evaluate/expected.json', 'utf8')) as {
  sets: Record<string, Record<string, Figures>>;
};
const FOLDERS: Readonly<Record<string, string>> = {
  'vimeo-septuplet': 'vimeo',
  'adobe240-512': 'adobe240',
  x4k1000fps: 'x4k',
};
const folderOf = (name: string) => (name.startsWith('snu-film') ? 'snu' : (FOLDERS[name] ?? name));

let home: string;
let double: Method;
let eightfold: Method;
test.before(async () => {
  home = mkdtempSync(join(tmpdir(), 'flavr-layouts-'));
  await writeDataSets(home);
  double = await modelMethod('mini-2x', { backend: 'cpu', threads: 2 });
  eightfold = await modelMethod(`${GOLDENS}/tiny8-k8.weights.safetensors`, { backend: 'cpu', threads: 2 });
});
test.after(async () => {
  rmSync(home, { recursive: true, force: true });
  await Promise.all([double.close(), eightfold.close()]);
});

function near(actual: readonly number[], expected: readonly number[], tolerance: number, what: string) {
  assert.is(actual.length, expected.length, what);
  actual.forEach((value, i) => {
    assert.ok(Math.abs(value - expected[i]!) <= tolerance, `${what}: ${value}, expected ${expected[i]}`);
  });
}

for (const { name, factors } of PROTOCOLS.values()) {
  test(`${name}: samples and figures are those of an independent program`, async () => {
    const expected = sets[name]!;
    const set = await openDataSet(name, join(home, folderOf(name)), { inputs: 4, limit: 4 });
    const [score] = await evaluate(set, [factors[0] === 2 ? double : eightfold]);
    assert.equal(score!.failed, []);
    assert.equal(
      score!.samples.map(({ id }) => id),
      Object.keys(expected),
    );
    for (const { id, ...figures } of score!.samples) {
      const { psnr, ssim, interpolationError } = expected[id]!;
      near(figures.psnr, psnr, 1e-3, `PSNR of ${id}`);
      near(figures.ssim, ssim, 1e-5, `SSIM of ${id}`);
      if (PROTOCOLS.get(name)!.interpolationError) {
        near(figures.interpolationError!, interpolationError!, 1e-3, `interpolation error of ${id}`);
      }
    }
  });
}

test('snu-film stands for its four levels, and each says in how many windows a frame is repeated', async () => {
  const { sets: levels } = await evaluateMethods({ dataset: 'snu-film', data: join(home, 'snu'), methods: [double] });
  assert.equal(
    levels.map(({ measurement, samples, repeatedSamples }) => [measurement.name, samples, repeatedSamples]),
    [
      ['snu-film-easy', 2, 1],
      ['snu-film-medium', 1, 0],
      ['snu-film-hard', 2, 1],
      ['snu-film-extreme', 2, 1],
    ],
  );
  const [difficulty] = reportHtml({ flavr: '', sets: levels }).match(/<svg[\s\S]*?<\/svg>/)!;
  assert.match(difficulty, /SNU-FILM: PSNR by difficulty[\s\S]*>extreme</);
});

test('what is wrong with one of several sets is said before any of them is measured', async () => {
  const broken = join(home, 'snu', 'test-extreme.txt');
  const list = readFileSync(broken);
  rmSync(broken);
  let measured = 0;
  const onProgress = () => void measured++;
  const error = await evaluateMethods({
    dataset: 'snu-film',
    data: join(home, 'snu'),
    methods: [double],
    onProgress,
  }).catch((problem) => problem);
  writeFileSync(broken, list);
  assert.match(error.message, /expected test-extreme\.txt/);
  assert.is(measured, 0);
});

test.run();
