import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDataSet } from '../../ts/evaluate/data-set.js';
import type { Sample } from '../../ts/evaluate/protocol.js';
import { PROTOCOLS } from '../../ts/evaluate/protocols.js';

let folder: string;
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'flavr-sets-'));
});
test.after.each(() => rmSync(folder, { recursive: true, force: true }));

function touch(...names: string[]) {
  for (const name of names) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), '');
  }
}
const numbered = (count: number, name: (n: number) => string) => Array.from({ length: count }, (_, i) => name(i));

async function samples(name: string, factor = 2): Promise<Sample[]> {
  const found = await PROTOCOLS.get(name)!.samples(folder, { inputs: 4, factor });
  const short = (paths: readonly string[]) => paths.map((path) => relative(folder, path));
  return found.map((sample) => ({ ...sample, inputs: short(sample.inputs), targets: short(sample.targets) }));
}

test('Vimeo septuplets: im1, im3, im5, im7 give im4, in the order of the list', async () => {
  writeFileSync(join(folder, 'sep_testlist.txt'), '00002/0001\n00001/0266\n\n');
  const list = await samples('vimeo-septuplet');
  assert.equal(
    list.map(({ id }) => id),
    ['00002/0001', '00001/0266'],
  );
  assert.equal(
    list[1]!.inputs,
    [1, 3, 5, 7].map((i) => `sequences/00001/0266/im${i}.png`),
  );
  assert.equal(list[1]!.targets, ['sequences/00001/0266/im4.png']);
});

test('UCF101 quintuplets: frame0 to frame3 give framet', async () => {
  touch(...['0', '1', '2', '3', 't'].map((i) => `7/frame${i}.png`));
  const [sample] = await samples('ucf101');
  assert.equal(
    sample!.inputs,
    [0, 1, 2, 3].map((i) => `7/frame${i}.png`),
  );
  assert.equal(sample!.targets, ['7/framet.png']);
});

test('DAVIS: t, t+2, t+4, t+6 give t+3, for every second t', async () => {
  touch(...numbered(10, (i) => `bear/${String(i).padStart(5, '0')}.jpg`));
  const list = await samples('davis');
  assert.equal(
    list.map(({ targets }) => targets),
    [['bear/00003.jpg'], ['bear/00005.jpg']],
  );
  assert.equal(
    list[1]!.inputs,
    [2, 4, 6, 8].map((i) => `bear/0000${i}.jpg`),
  );
});

test('GoPro 8x: frames 1, 9, 17, 25 give the seven between 9 and 17; the next window begins 8 later', async () => {
  touch(...numbered(33, (i) => `test/GOPR/${String(i + 1).padStart(6, '0')}.png`));
  const name = (i: number) => `test/GOPR/${String(i).padStart(6, '0')}.png`;
  const list = await samples('gopro', 8);
  assert.is(list.length, 2);
  assert.equal(list[0]!.inputs, [1, 9, 17, 25].map(name));
  assert.equal(
    list[0]!.targets,
    numbered(7, (i) => name(10 + i)),
  );
  assert.equal(list[1]!.inputs, [9, 17, 25, 33].map(name));
});

test('SNU-FILM: neighbours by level, outer frames from the clip where it has them', async () => {
  touch(...numbered(12, (i) => `test/GOPRO_test/A/${String(i).padStart(6, '0')}.png`));
  const line = (a: number, b: number, c: number) =>
    [a, b, c].map((i) => `data/SNU-FILM/test/GOPRO_test/A/${String(i).padStart(6, '0')}.png`).join(' ');
  writeFileSync(join(folder, 'test-medium.txt'), `${line(4, 6, 8)}\n${line(0, 2, 4)}\n`);
  const list = await samples('snu-film-medium');
  const name = (i: number) => `test/GOPRO_test/A/${String(i).padStart(6, '0')}.png`;
  assert.equal(list[0]!.targets, [name(6)]);
  assert.equal(list[0]!.inputs, [0, 4, 8, 8].map(name));
  assert.equal(
    list.map(({ repeated }) => repeated),
    [1, 1],
  );
  assert.equal(list[1]!.inputs, [0, 0, 4, 8].map(name));
});

test('SNU-FILM as FLAVR takes it: only windows whose four frames the clip has', async () => {
  const name = (i: number) => `test/YouTube_test/0001/${String(i).padStart(5, '0')}.png`;
  touch(...numbered(13, name));
  writeFileSync(
    join(folder, 'test-medium.txt'),
    [4, 6, 8].map((i) => `${name(i - 2)} ${name(i)} ${name(i + 2)}\n`).join(''),
  );
  const list = await samples('snu-film-flavr-medium');
  assert.equal(
    list.map(({ inputs }) => inputs),
    [[0, 4, 8, 12].map(name)],
  );
});

test('SNU-FILM: a list whose files are not as far apart as its level says is refused', async () => {
  touch(...numbered(9, (i) => `test/A/${i}.png`));
  writeFileSync(join(folder, 'test-hard.txt'), 'test/A/2.png test/A/4.png test/A/6.png\n');
  await refuses('snu-film-hard', /4 frames apart/);
});

test('a list cannot name files outside the data set', async () => {
  writeFileSync(join(folder, 'test-easy.txt'), 'test/a test/../../etc/passwd test/b\n');
  await refuses('snu-film-easy', /list/);
  writeFileSync(join(folder, 'sep_testlist.txt'), '../../etc\n');
  await refuses('vimeo-septuplet', /list/);
});

test('Middlebury: frame10 and frame11 give frame10i11; clips without a true frame are left out', async () => {
  touch('other-data/Beanbags/frame09.png', 'other-data/Beanbags/frame10.png', 'other-data/Beanbags/frame11.png');
  touch('other-data/Army/frame10.png', 'other-data/Army/frame11.png', 'other-gt-interp/Beanbags/frame10i11.png');
  const list = await samples('middlebury');
  assert.is(list.length, 1);
  assert.equal(
    list[0]!.inputs,
    ['09', '10', '11', '11'].map((i) => `other-data/Beanbags/frame${i}.png`),
  );
  assert.is(list[0]!.repeated, 1);
});

test('Xiph: the even frames 2 to 98 of the first 100, each from its neighbours', async () => {
  touch(...numbered(120, (i) => `Crosswalk/${String(i + 1).padStart(3, '0')}.png`));
  const list = await samples('xiph-2k');
  assert.is(list.length, 49);
  assert.equal(list[0]!.targets, ['Crosswalk/002.png']);
  assert.equal(list.at(-1)!.targets, ['Crosswalk/098.png']);
  assert.equal(
    list[1]!.inputs,
    ['001', '003', '005', '007'].map((i) => `Crosswalk/${i}.png`),
  );
});

test('Xiph: clips may lie side by side in one folder, as their authors keep them', async () => {
  for (const clip of ['Crosswalk', 'FoodMarket2']) {
    touch(...numbered(100, (i) => `${clip}-${String(i + 1).padStart(3, '0')}.png`));
  }
  const list = await samples('xiph-4k');
  assert.equal([...new Set(list.map(({ sequence }) => sequence))], ['Crosswalk', 'FoodMarket2']);
  assert.is(list.length, 98);
  assert.equal(list[49]!.targets, ['FoodMarket2-002.png']);
});

test('X4K1000FPS: frames 0 and 32 give 4, 8 … 28', async () => {
  touch(...numbered(33, (i) => `test/Type1/TEST01/${String(i).padStart(4, '0')}.png`));
  const [sample] = await samples('x4k1000fps', 8);
  assert.equal(
    sample!.targets,
    [4, 8, 12, 16, 20, 24, 28].map((i) => `test/Type1/TEST01/${String(i).padStart(4, '0')}.png`),
  );
  assert.is(sample!.repeated, 2);
});

async function refuses(name: string, words: RegExp) {
  const error = await samples(name).then(
    () => assert.unreachable('it was taken'),
    (problem) => problem,
  );
  assert.is(error.code, 'DATASET_INVALID');
  assert.match(error.message, words);
}

test('a wrong folder says what was expected and what was found', async () => {
  for (const { name } of PROTOCOLS.values()) await refuses(name, /expected .+; found .+\./);
  touch('test/A/1.png');
  await refuses('x4k1000fps', /test.A: expected .*0000\.png.*; found 1\.png\./);
  await refuses('ucf101', /found no framet\.png in any folder/);
  await refuses('davis', /test: expected .*; found A\./);
  await refuses('gopro', /clips of at least 7 frames .*; found at most 1 in one\./);
  await refuses('vimeo-septuplet', /expected sep_testlist\.txt .*; found test\./);
});

test('a method of two frames is measured on the same windows as one of four', async () => {
  touch(...numbered(9, (i) => `bear/${i}.png`));
  const counts = [2, 4].map(async (inputs) => (await openDataSet('davis', folder, { inputs })).count);
  assert.equal(await Promise.all(counts), [2, 2]);
});

test('a frame whose number is missing keeps its place, and the sample that needs it fails by its name', async () => {
  touch(...numbered(12, (i) => `bear/${String(i + 1).padStart(3, '0')}.png`).filter((name) => !name.includes('010')));
  const list = await samples('davis');
  assert.equal(list[1]!.targets, ['bear/006.png']);
  assert.equal(list.at(-1)!.inputs, ['bear/005.png', 'bear/007.png', 'bear/009.png', 'bear/011.png']);
  assert.equal(list.at(-1)!.targets, ['bear/008.png']);
  touch(...numbered(26, (i) => `test/GOPR/${i + 1}.png`).filter((name) => !/\/(9|10)\./.test(name)));
  const [sample] = await samples('gopro', 8);
  assert.equal(
    [...sample!.inputs.slice(0, 2), sample!.targets[0]],
    ['1', '9', '10'].map((n) => `test/GOPR/${n}.png`),
  );
});

test('frames whose numbers are times, or every third one, are missing nothing', async () => {
  touch(...numbered(9, (i) => `times/${Math.round((i * 1000) / 60)}.png`));
  touch(...numbered(9, (i) => `thirds/${3 * i}.png`));
  touch(...numbered(9, (i) => `long/20261123123456${String(i * i).padStart(6, '0')}.png`));
  const list = await samples('davis');
  assert.equal(
    list.map(({ targets }) => targets[0]),
    [
      'long/20261123123456000009.png',
      'long/20261123123456000025.png',
      'thirds/9.png',
      'thirds/15.png',
      'times/50.png',
      'times/83.png',
    ],
  );
});

test('a folder that is not one clip is refused', async () => {
  touch('A/1.png', 'A/01.png', 'A/2.png');
  await refuses('davis', /A: expected one frame for each number; found 0?1\.png, and after it 0?1\.png\./);
  rmSync(join(folder, 'A'), { recursive: true });
  touch(...numbered(4, (i) => `A/${i}.png`), ...numbered(4, (i) => `A/${i + 999_999_999}.png`));
  await refuses('davis', /A: expected the frames of one clip.*; found 3\.png, and after it 999999999\.png\./);
});

test('hidden files are no frames and hidden folders no clips', async () => {
  touch(...numbered(7, (i) => `bear/${i}.png`), 'bear/._0.png', '.cache/a.txt', '.DS_Store');
  const list = await samples('davis');
  assert.is(list.length, 1);
  assert.equal(list[0]!.targets, ['bear/3.png']);
});

test.run();
