import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import { parseRational, type Rational, rational, toNumber } from '../../ts/rational.js';
import { openSource } from '../../ts/video/source.js';
import type { SourceFrame, SourceOptions, VideoSource } from '../../ts/video/types.js';
import { makeVideo, paintNoise, temporaryFolder } from './make-video.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const seconds = (text: string) => parseRational(text, 'seconds');

async function read(
  path: string,
  options: SourceOptions = {},
): Promise<{ source: VideoSource; frames: SourceFrame[] }> {
  const source = await openSource(path, options);
  const frames: SourceFrame[] = [];
  for await (const frame of source.frames()) frames.push(frame);
  await source.close();
  return { source, frames };
}

const times = (frames: readonly SourceFrame[]): Rational[] => frames.map(({ time }) => time);

async function failure(path: string, options: SourceOptions = {}): Promise<FlavrError> {
  try {
    await read(path, options);
  } catch (error) {
    assert.instance(error, FlavrError);
    return error as FlavrError;
  }
  assert.unreachable('reading succeeded');
  throw new Error();
}

test('a plain video is described and read frame by frame with exact times', async () => {
  const { source, frames } = await read(await makeVideo(at('plain.mp4')));
  const { info } = source;
  assert.equal(
    [info.kind, info.width, info.height, info.codec, info.pixelFormat],
    ['video', 64, 48, 'h264', 'yuv420p'],
  );
  assert.equal([info.frameCount, info.bitDepth, info.alpha, info.interlaced, info.rotation], [5, 8, false, false, 0]);
  assert.equal(info.frameRate, rational(25));
  assert.equal(info.duration, rational(1, 5));
  assert.equal(
    times(frames),
    [0, 1, 2, 3, 4].map((n) => rational(n, 25)),
  );
  for (const frame of frames) {
    assert.is(frame.data.length, 64 * 48 * 3);
    assert.is(frame.data.buffer.byteLength, 64 * 48 * 3, 'each frame has an ArrayBuffer of its own');
    assert.is(frame.alpha, undefined);
    assert.equal(frame.duration, rational(1, 25));
  }
});

test('a flat grey picture comes out flat and grey', async () => {
  const { frames } = await read(await makeVideo(at('grey.mp4'), { frames: 3 }));
  for (const [index, { data }] of frames.entries()) {
    const grey = Math.round(((60 + 4 * index - 16) * 255) / 219);
    assert.ok(
      data.every((value) => value === grey),
      `${data[0]} ${data[1]} ${data[2]}, not ${grey}`,
    );
  }
});

test('variable frame rate: the times are those of the source', async () => {
  const stamps = [0, 40, 100, 130, 333];
  const { frames } = await read(await makeVideo(at('vfr.mkv'), { frames: stamps, timeBase: [1, 1000] }));
  assert.equal(
    times(frames),
    stamps.map((ms) => rational(ms, 1000)),
  );
  assert.equal(
    frames.slice(0, 4).map(({ duration }) => toNumber(duration)),
    [0.04, 0.06, 0.03, 0.203],
  );
});

test('odd sizes keep every pixel', async () => {
  const { source, frames } = await read(
    await makeVideo(at('odd.mkv'), { codec: 'ffv1', width: 53, height: 37, frames: 2 }),
  );
  assert.equal([source.info.width, source.info.height], [53, 37]);
  assert.is(frames[1]!.data.length, 53 * 37 * 3);
});

test('a truncated file gives what decodes, with a warning', async () => {
  const whole = await makeVideo(at('whole.mp4'), {
    frames: 50,
    formatOptions: { movflags: 'faststart' },
    paint: paintNoise,
  });
  const bytes = readFileSync(whole);
  writeFileSync(at('cut.mp4'), bytes.subarray(0, bytes.length >> 1));
  const { source, frames } = await read(at('cut.mp4'));
  assert.ok(frames.length > 5 && frames.length < 45, `${frames.length} frames`);
  assert.ok(
    source.warnings.some((warning) => /states 2\.00 s; it was probably cut off/.test(warning)),
    source.warnings.join(),
  );
});

test('files without a readable video are refused with a sentence each', async () => {
  writeFileSync(at('text.mp4'), 'This is no video.\n'.repeat(100));
  writeFileSync(at('empty.mp4'), '');
  await makeVideo(at('sound.mkv'), { audio: 2, frames: 0 });
  const whole = readFileSync(await makeVideo(at('late.mp4'), { frames: 3 }));
  writeFileSync(at('headless.mp4'), whole.subarray(0, whole.length >> 1));
  const cases: [string, RegExp][] = [
    ['absent.mp4', /there is no such file/],
    ['text.mp4', /cannot be read as a video/],
    ['empty.mp4', /is empty \(0 bytes\)/],
    ['sound.mkv', /holds only sound \(2 audio streams\)/],
    ['headless.mp4', /cannot be read as a video/],
  ];
  for (const [name, sentence] of cases) {
    const { code, message } = await failure(at(name));
    assert.is(code, 'VIDEO_UNREADABLE', name);
    assert.match(message, sentence);
    assert.match(message, name);
  }
});

test('a range holds the frames from its start to before its end, the last one cut to it', async () => {
  const path = await makeVideo(at('range.mp4'), { frames: 50 });
  const { frames } = await read(path, { start: seconds('0.5'), duration: seconds('0.3') });
  assert.equal(times(frames).map(toNumber), [0.52, 0.56, 0.6, 0.64, 0.68, 0.72, 0.76]);
  assert.equal(frames.at(-1)!.duration, rational(4, 100));
  const grey = (n: number) => Math.round(((60 + 4 * n - 16) * 255) / 219);
  assert.is(frames[0]!.data[0], grey(13));
});

test.run();
