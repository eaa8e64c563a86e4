import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDataSet } from '../../ts/evaluate/data-set.js';
import type { SampleScore } from '../../ts/evaluate/evaluate.js';
import { blend, type Method, nearest } from '../../ts/evaluate/methods.js';
import { modelMethod } from '../../ts/evaluate/model-method.js';
import { evaluateMethods, type Report } from '../../ts/evaluate/report.js';
import { reportHtml } from '../../ts/evaluate/report-html.js';
import { reportCsv, reportLines } from '../../ts/evaluate/report-text.js';
import { worstSamples } from '../../ts/evaluate/worst.js';

const CUT = 'test/fixtures/video/bunny-cut.mp4';
const VIDEO = { dataset: 'video', data: CUT } as const;

let folder: string;
test.before(() => {
  folder = mkdtempSync(join(tmpdir(), 'flavr-report-'));
});
test.after(() => rmSync(folder, { recursive: true, force: true }));

/** The nearest frame under another name, which counts how often it is asked. */
function counted(name: string): Method & { calls: number } {
  return {
    ...nearest,
    name,
    identity: `counted ${name}`,
    calls: 0,
    interpolate(window, factor) {
      this.calls++;
      return nearest.interpolate(window, factor);
    },
  };
}

const score = (id: string, psnr: number[]): SampleScore => {
  return { id, sequence: id.split('/')[0]!, repeated: id.endsWith('0') ? 1 : 0, psnr, ssim: psnr.map(() => 0.9) };
};

function snuReport(): Report {
  const level = (name: string, drop: number): Report['sets'][number] => ({
    measurement: {
      name,
      title: name,
      preparation: { kind: 'none' },
      psnr: 'flavr',
      ssim: 'matlab3d',
      source: 'a <b>test</b>',
      twoFrame: true,
    },
    data: '/data',
    factor: 2,
    inputs: 4,
    samples: 2,
    publishedCount: 310,
    repeatedSamples: 1,
    warnings: [],
    methods: ['<script>alert(1)</script>', 'blend, "quoted"'].map((method, m) => ({
      method,
      samples: [score('a/0', [30 - drop - m]), score('b/1', [32 - drop - m])],
      failed: m === 0 ? [] : [{ id: 'c/2', message: 'cannot be read & more' }],
      psnr: 31 - drop - m,
      ssim: 0.9,
      psnrByIndex: [31 - drop - m],
      ssimByIndex: [0.9],
      exact: 0,
      output: 'unrounded',
      identity: method,
    })),
    comparisons: [],
    published: [{ method: 'Other & Co', psnr: 30.5, source: 'a table' }],
  });
  return { flavr: '1.2.3', sets: [level('snu-film-easy', 0), level('snu-film-hard', 5)] };
}

test('a run measures, compares and says how', async () => {
  const report = await evaluateMethods({ ...VIDEO, methods: [blend, nearest], factor: 4, limit: 2 });
  const [set] = report.sets;
  assert.is(set!.samples, 2);
  assert.is(set!.inputs, 2);
  assert.equal(
    set!.methods.map(({ method, output }) => [method, output]),
    [
      ['blend', 'unrounded'],
      ['nearest', '8-bit'],
    ],
  );
  assert.is(set!.comparisons.length, 1);
  assert.is(set!.comparisons[0]!.psnr.mean.toFixed(9), (set!.methods[0]!.psnr - set!.methods[1]!.psnr).toFixed(9));
  const text = reportLines(report).join('\n');
  for (const words of ['k = 4', 'PSNR as FLAVR', 'ssim_matlab', '1/4', 'blend - nearest']) {
    assert.ok(text.includes(words), words);
  }
});

test('other figures are taken where they are asked for, and no published rows stand beside them', async () => {
  const { sets } = await evaluateMethods({ ...VIDEO, methods: [blend], limit: 1, metrics: 'y' });
  assert.equal([sets[0]!.measurement.psnr, sets[0]!.measurement.ssim], ['y', 'gaussian2d-luma']);
  assert.equal(sets[0]!.published, []);
});

test('a factor that a method cannot do is refused before anything is measured', async () => {
  const double = await modelMethod('mini-2x', { backend: 'cpu' });
  const other = counted('m');
  const error = await evaluateMethods({ ...VIDEO, methods: [other, double], factor: 3 }).catch((e) => e);
  await double.close();
  assert.is(error.code, 'UNSUPPORTED_FACTOR');
  assert.is(other.calls, 0);
});

test('an unknown set is refused with the list of names', async () => {
  const error = await evaluateMethods({ dataset: 'kinetics', data: '.', methods: [blend] }).catch((e) => e);
  assert.is(error.code, 'BAD_ARGUMENT');
  assert.match(error.message, /video, snu-film, snu-film-flavr, vimeo-septuplet/);
});

test('a name of several sets cannot be opened as one', async () => {
  const error = await openDataSet('snu-film', '.', { inputs: 4 }).catch((e) => e);
  assert.is(error.code, 'BAD_ARGUMENT');
  assert.match(error.message, /snu-film-easy/);
});

test('a run that was cut off goes on where it was: nothing is measured twice, and the report is the same', async () => {
  const journal = join(folder, 'journal');
  const first = counted('m');
  const whole = await evaluateMethods({ ...VIDEO, methods: [first], journal });
  assert.is(first.calls, 10);
  const kept = readFileSync(journal, 'utf8').split('\n').slice(0, 5).join('\n').length;
  truncateSync(journal, kept + 20);
  const second = counted('m');
  assert.equal(await evaluateMethods({ ...VIDEO, methods: [second], journal }), whole);
  assert.is(second.calls, 6);
  const third = counted('m');
  assert.equal(await evaluateMethods({ ...VIDEO, methods: [third], journal }), whole);
  assert.is(third.calls, 0);
});

test('scores of another method, factor or metric are not taken over', async () => {
  const journal = join(folder, 'shared');
  await evaluateMethods({ ...VIDEO, methods: [counted('m')], limit: 2, journal });
  for (const change of [{ methods: [counted('n')] }, { factor: 4 }, { metrics: 'rounded' }] as const) {
    const method = counted('m');
    const methods: Method[] = 'methods' in change ? [...change.methods] : [method];
    await evaluateMethods({ ...VIDEO, limit: 2, journal, ...change, methods });
    assert.is((methods[0] as typeof method).calls, 2);
  }
});

test('scores of a video that another has taken the place of are not taken over', async () => {
  const [data, journal] = [join(folder, 'clip.mp4'), join(folder, 'replaced')];
  copyFileSync(CUT, data);
  const calls = async () => {
    const method = counted('m');
    await evaluateMethods({ dataset: 'video', data, methods: [method], limit: 2, journal });
    return method.calls;
  };
  assert.equal([await calls(), await calls()], [2, 0]);
  utimesSync(data, 1, 1);
  assert.is(await calls(), 2);
});

test('an infinite figure survives the journal', async () => {
  const same: Method = { ...counted('m'), interpolate: async () => [known] };
  const journal = join(folder, 'infinite');
  let known = { data: new Uint8Array(), width: 160, height: 90 };
  for await (const sample of (await openDataSet('video', CUT, { inputs: 2, limit: 1 })).samples()) {
    known = (await sample.load()).truth[0]! as typeof known;
  }
  const run = () => evaluateMethods({ ...VIDEO, methods: [same], limit: 1, metrics: 'rounded', journal });
  const once = await run();
  assert.is(once.sets[0]!.methods[0]!.exact, 1);
  assert.equal(await run(), once);
});

test('a file that is no journal is not written to, and a damaged line is named', async () => {
  const other = join(folder, 'notes.txt');
  writeFileSync(other, 'my notes\n');
  const foreign = await evaluateMethods({ ...VIDEO, methods: [blend], journal: other }).catch((e) => e);
  assert.match(foreign.message, /no journal/);
  assert.is(readFileSync(other, 'utf8'), 'my notes\n');

  // Larger than anything that could be read whole.
  truncateSync(other, 3 * 2 ** 30);
  const large = await evaluateMethods({ ...VIDEO, methods: [blend], journal: other }).catch((e) => e);
  assert.match(large.message, /no journal/);

  const journal = join(folder, 'damaged');
  await evaluateMethods({ ...VIDEO, methods: [blend], limit: 1, journal });
  appendFileSync(journal, '{"set":1}\n');
  const damaged = await evaluateMethods({ ...VIDEO, methods: [blend], journal }).catch((e) => e);
  assert.match(damaged.message, /Line 3/);
});

test('an evaluation of nothing, by nothing or of two by one name is refused', async () => {
  for (const [options, sentence] of [
    [{ methods: [] }, /at least one/],
    [{ methods: [blend, nearest, blend] }, /called blend/],
    [{ methods: [blend], limit: 0 }, /limit must be a whole number from 1; got 0/],
    [{ methods: [{ ...blend, inputs: 3 }] }, /even number of frames, from 2; got 3/],
  ] as const) {
    const { code, message } = await evaluateMethods({ ...VIDEO, ...options }).catch((e) => e);
    assert.is(code, 'BAD_ARGUMENT');
    assert.match(message, sentence);
  }
});

test('frames behind one that cannot be read are reported as missing; those before it are measured', async () => {
  const data = join(folder, 'torn');
  mkdirSync(data);
  for (let n = 0; n < 9; n++) {
    // Noise, so that half a file has a whole header.
    const pixels = Uint8Array.from({ length: 32 * 32 * 3 }, (_, i) => (i * i * 7919) % 251);
    const image = sharp(pixels, { raw: { width: 32, height: 32, channels: 3 } });
    writeFileSync(join(data, `${n}.png`), await image.png().toBuffer());
  }
  const spoil = (name: string) => truncateSync(join(data, name), Math.floor(statSync(join(data, name)).size / 2));
  spoil('6.png');
  const run = () => evaluateMethods({ dataset: 'video', data, methods: [nearest] });
  const [score] = (await run()).sets[0]!.methods;
  assert.equal(
    score!.samples.map(({ id }) => id),
    ['torn/0', 'torn/2'],
  );
  assert.equal(
    score!.failed.map(({ id }) => id),
    ['torn/from 6 on'],
  );
  assert.match(score!.failed[0]!.message, /6\.png cannot be decoded/);
  spoil('0.png');
  assert.is((await run().catch((e) => e)).code, 'VIDEO_UNREADABLE');
});

test('what was noticed of a video as it was opened stands beside its figures', async () => {
  const data = join(folder, 'holes');
  mkdirSync(data);
  const image = await sharp({ create: { width: 16, height: 16, channels: 3, background: '#456' } })
    .png()
    .toBuffer();
  for (const n of [0, 1, 2, 4, 5, 6]) writeFileSync(join(data, `${n}.png`), image);
  const report = await evaluateMethods({ dataset: 'video', data, methods: [nearest] });
  assert.match(report.sets[0]!.warnings.join(), /skip from 2\.png to 4\.png/);
  assert.ok(reportLines(report).some((line) => /Warning: .*skip from 2\.png to 4\.png/.test(line)));
});

test('the page says what was measured, and with which weights', async () => {
  const report = await evaluateMethods({ ...VIDEO, methods: [counted('m')], limit: 1 });
  const page = reportHtml(report);
  assert.ok(page.includes(`Data: ${report.sets[0]!.data}.`));
  assert.ok(page.includes('<td>counted m</td>'));
});

test('the page shows the worst samples, and needs nothing from elsewhere', async () => {
  const options = { ...VIDEO, methods: [blend, nearest], limit: 4 };
  const report = await evaluateMethods(options);
  const worst = await worstSamples(report, options, 2);
  const ranked = [...report.sets[0]!.methods[0]!.samples].sort((a, b) => a.psnr[0]! - b.psnr[0]!);
  assert.equal(
    worst[0]!.map(({ id }) => id),
    ranked.slice(0, 2).map(({ id }) => id),
  );
  assert.ok(worst[0]!.every(({ pictures }) => pictures.length === 4));
  const page = reportHtml(report, worst);
  assert.is(page.match(/<img /g)!.length, 8);
  assert.not.match(page, /<script|<link|https?:\/\//);
  assert.ok([...page.matchAll(/(?:src|href)="([^"]*)"/g)].every(([, source]) => source!.startsWith('data:image/png')));
});

test('names and messages are text in the page, whatever is in them; levels of SNU-FILM make one plot', () => {
  const page = reportHtml(snuReport());
  assert.not.match(page, /<script|<b>/);
  assert.ok(page.includes('&#60;script&#62;alert(1)'));
  assert.ok(page.includes('cannot be read &#38; more'));
  const [difficulty] = page.match(/<svg[\s\S]*?<\/svg>/)!;
  for (const words of ['difficulty', '>easy<', '>hard<']) assert.ok(difficulty.includes(words), words);
  assert.ok(page.includes('Other &#38; Co') && page.includes('a table'));
});

test('every frame is a row of the CSV, with the variants of its figures', () => {
  const rows = reportCsv(snuReport()).trimEnd().split('\n');
  assert.is(rows.length, 1 + 8);
  assert.is(rows[0]!.split(',').length, 13);
  assert.is(rows[1], 'snu-film-easy,2,<script>alert(1)</script>,unrounded,a,a/0,1,1/2,flavr,30,matlab3d,0.9,');
  assert.ok(rows[3]!.includes('"blend, ""quoted"""'));
});

test('failures are listed by method', () => {
  const text = reportLines(snuReport()).join('\n');
  assert.match(text, /Not measured with blend, "quoted":\n {2}c\/2: cannot be read & more/);
  assert.match(text, /published figures: 310/);
  assert.match(text, /In 1 of the 2 samples the clip has no frame/);
});

test.run();
