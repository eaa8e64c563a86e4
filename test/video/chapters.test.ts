import { spawnSync } from 'node:child_process';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rational } from '../../ts/rational.js';
import { type Chapter, readChapters, writeChapters } from '../../ts/video/chapters.js';
import { openFile } from '../../ts/video/demuxer.js';
import { openSink } from '../../ts/video/sink.js';
import type { SinkOptions } from '../../ts/video/types.js';
import { buildSource } from './build-source.js';
import { av, decodeVideo, evenTimes, sinkOptions, videoInfo, withFolder, writeFrames } from './sink-helper.js';

const RATE = rational(25);
const CHAPTERS: Chapter[] = [
  { start: rational(0), end: rational(3, 5), title: 'Début', language: 'fra' },
  { start: rational(3, 5), end: rational(6, 5), title: 'Middle & more', language: 'fra' },
  { start: rational(6, 5), end: rational(2), title: '終わり', language: 'fra' },
];

const MUXERS: Record<string, string> = { mp4: 'mp4', mov: 'mov', mkv: 'matroska', webm: 'webm' };

/** Start, end and title, in milliseconds. */
async function read(path: string): Promise<unknown[]> {
  const file = await openFile(av, path);
  const chapters = await readChapters(av, path, file);
  await file.format.closeInput();
  const ms = (time: Chapter['end']) => time && Number((time.num * 1000n) / time.den);
  return chapters.map(({ start, end, title }) => [ms(start), ms(end), title]);
}

async function sourceWithChapters(folder: string, extension: string): Promise<string> {
  const path = join(folder, `in.${extension}`);
  await buildSource(path, { muxer: MUXERS[extension]!, audio: [{ encoder: 'aac' }] });
  assert.ok(await writeChapters(path, MUXERS[extension]!, CHAPTERS));
  return path;
}

async function rewrite(path: string, source: string, changes: Partial<SinkOptions> = {}, times = evenTimes(50, RATE)) {
  const sink = await openSink(path, sinkOptions({ copyFrom: source, ...changes }));
  await writeFrames(sink, videoInfo(), times, rational(1, 25));
  await sink.finish();
  return sink.warnings;
}

const ALL = [
  [0, 600, 'Début'],
  [600, 1200, 'Middle & more'],
  [1200, 2000, '終わり'],
];
// A list of MP4 states where chapters begin, but not where the last one ends.
const LISTED = [...ALL.slice(0, 2), [1200, undefined, '終わり']];

for (const [from, to] of [
  ['mkv', 'mkv'],
  ['mkv', 'webm'],
  ['mp4', 'mp4'],
  ['mov', 'mkv'],
  ['mkv', 'mov'],
] as const) {
  test(`keeps chapters from .${from} to .${to}`, () =>
    withFolder(async (folder) => {
      const source = await sourceWithChapters(folder, from);
      const path = join(folder, `out.${to}`);
      const warnings = await rewrite(path, source);
      const listed = from === 'mp4' || from === 'mov' || to === 'mov';
      assert.equal(await read(path), listed ? LISTED : ALL);
      assert.is(warnings.filter((warning) => warning.includes('chapter')).length, 0);
      assert.is((await decodeVideo(path)).length, 50);
    }));
}

test('other readers find the chapters, too', () =>
  withFolder(async (folder) => {
    const probe = spawnSync('ffprobe', ['-version']);
    if (probe.status !== 0) {
      console.log('SKIPPED other readers: ffprobe is not installed on this machine');
      return;
    }
    for (const extension of ['mkv', 'webm', 'mp4', 'mov']) {
      const path = join(folder, `out.${extension}`);
      await rewrite(path, await sourceWithChapters(folder, 'mkv'));
      const run = spawnSync('ffprobe', ['-v', 'error', '-show_chapters', '-of', 'json', path], { encoding: 'utf8' });
      const { chapters } = JSON.parse(run.stdout) as { chapters: { start_time: string; tags: { title: string } }[] };
      assert.equal(
        chapters.map(({ start_time, tags }) => [Number(start_time), tags.title]),
        [
          [0, 'Début'],
          [0.6, 'Middle & more'],
          [1.2, '終わり'],
        ],
      );
    }
  }));

test('cuts and shifts chapters with the range, and stretches them in slow motion', () =>
  withFolder(async (folder) => {
    const source = await sourceWithChapters(folder, 'mkv');
    const start = rational(2, 5);
    const path = join(folder, 'out.mkv');
    const range = { start, end: rational(1) };
    await rewrite(path, source, { range, slow: 2, audio: 'drop' }, evenTimes(15, RATE, start));
    assert.equal(await read(path), [
      [0, 400, 'Début'],
      [400, 1200, 'Middle & more'],
    ]);
  }));

test('names chapters that the container cannot hold', () =>
  withFolder(async (folder) => {
    const warnings = await rewrite(join(folder, 'out.ts'), await sourceWithChapters(folder, 'mkv'));
    assert.match(warnings.join('\n'), /The source's 3 chapters are left out/);
    const front = join(folder, 'out.mp4');
    const options = { encoderOptions: { movflags: 'faststart' } };
    assert.match((await rewrite(front, join(folder, 'in.mkv'), options)).join('\n'), /leave no room/);
    assert.is((await decodeVideo(front)).length, 50);
  }));

test('reads nothing, and does not fail, where the lists are damaged', () =>
  withFolder(async (folder) => {
    for (const extension of ['mkv', 'mp4']) {
      const path = await sourceWithChapters(folder, extension);
      const whole = await readFile(path);
      const mark = extension === 'mkv' ? Buffer.from('1043a770', 'hex') : Buffer.from('chpl');
      const at = whole.lastIndexOf(mark);
      for (let byte = 0; byte < 60; byte += 1) {
        const damaged = Buffer.from(whole);
        damaged[at + 4 + byte] = damaged[at + 4 + byte]! ^ 0xff;
        const copy = join(folder, `damaged.${extension}`);
        await writeFile(copy, damaged);
        const file = await openFile(av, copy);
        assert.ok((await readChapters(av, copy, file)).length <= 255);
        await file.format.closeInput();
      }
      await appendFile(path, 'rubbish');
      assert.ok((await read(path)).length <= 3);
    }
  }));

test.run();
