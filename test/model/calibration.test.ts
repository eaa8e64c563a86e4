import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  calibratedModel,
  decodeCalibration,
  encodeCalibration,
  readCalibration,
  requestedModel,
} from '../../ts/model/calibration.js';
import { quantisedActivations } from '../../ts/model/graph/build.js';
import { ruleModel } from '../graph/support.js';
import { rejects } from '../support/rejects.js';

const folder = mkdtempSync(join(tmpdir(), 'flavr-calibration-'));
const test = suite('calibration');
test.after(() => rmSync(folder, { recursive: true, force: true }));

const model = ruleModel(2);
const ranges = new Map([...quantisedActivations(model).keys()].map((name, i) => [name, { min: -i / 8, max: 1 + i }]));
const calibration = { model: model.name, hash: model.hash, windows: 3, ranges };
const fields = () => JSON.parse(encodeCalibration(calibration));

function written(text: string): string {
  const path = join(folder, 'calibration.json');
  writeFileSync(path, text);
  return path;
}

test('what was written is read again, and makes the model ready', async () => {
  const path = written(encodeCalibration(calibration));
  assert.equal(await readCalibration(path), calibration);
  const ready = await requestedModel({ model, calibration: path, precision: 'int8' });
  assert.equal(ready, { ...model, calibration });
});

const [first] = ranges.keys();
const BROKEN: readonly [string, string, RegExp][] = [
  ['text that is not JSON', '{', /not JSON/],
  ['another JSON file', '[1]', /format is not/],
  ['a later format', JSON.stringify({ ...fields(), format: 'flavr-calibration-2' }), /format is not/],
  ['no hash', JSON.stringify({ ...fields(), hash: undefined }), /hash/],
  ['a fraction of a window', JSON.stringify({ ...fields(), windows: 1.5 }), /windows/],
  ['ranges in a list', JSON.stringify({ ...fields(), ranges: [] }), /ranges/],
  ...([[[1, 2]], [[-2, -1]], [[0]], [['0', 1]], [null], [[0, null]]] as const).map(
    ([range]): [string, string, RegExp] => [
      `the range ${JSON.stringify(range)}`,
      JSON.stringify({ ...fields(), ranges: { [first!]: range } }),
      /two numbers around 0/,
    ],
  ),
  [
    'a range beyond all numbers',
    encodeCalibration(calibration).replace(/0,\s+1\b/, '0, 1e999'),
    /two numbers around 0/,
  ],
];
for (const [what, text, message] of BROKEN) {
  test(`refused: ${what}`, async () => {
    await rejects((async () => decodeCalibration(text, 'mine.json'))(), 'CALIBRATION_INVALID', message);
  });
}

test('refused: a file that is missing, a folder, and one that is too large to be one', async () => {
  await rejects(readCalibration(join(folder, 'none.json')), 'CALIBRATION_INVALID', /none\.json cannot be read/);
  await rejects(readCalibration(folder), 'CALIBRATION_INVALID', /cannot be read/);
  await rejects(readCalibration(written(' '.repeat(2 ** 20 + 1))), 'CALIBRATION_INVALID', /1048577 bytes/);
});

test("refused: other weights' calibration, one that lacks a range, and one without int8 or int8 without one", async () => {
  const other = { ...calibration, hash: 'f'.repeat(64) };
  await rejects((async () => calibratedModel(model, other))(), 'CALIBRATION_INVALID', /other weights/);
  const short = { ...calibration, ranges: new Map([...ranges].slice(1)) };
  await rejects(
    (async () => calibratedModel(model, short))(),
    'CALIBRATION_INVALID',
    new RegExp(`no range of ${first}`),
  );
  await rejects(requestedModel({ model, precision: 'int8' }), 'BAD_ARGUMENT', /needs the ranges/);
  await rejects(requestedModel({ model, calibration }), 'BAD_ARGUMENT', /int8; got no precision/);
  await rejects(requestedModel({ model, calibration, precision: 'fp32' }), 'BAD_ARGUMENT', /int8; got fp32/);
});

test.run();
