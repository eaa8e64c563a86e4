import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, parseRational, rational, toNumber } from '../../ts/rational.js';
import { openSource } from '../../ts/video/source.js';
import { makeVideo, paintNoise, temporaryFolder } from './make-video.js';
import { failure, greyOf, read, times } from './read-video.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);
const seconds = (value: number) => parseRational(value, 'seconds');

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
    const grey = greyOf(60 + 4 * index);
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

test('a Matroska file that starts late is as long as its frames, and was not cut off', async () => {
  await makeVideo(at('late.mkv'), { frames: [250, 251, 252] });
  const { source, frames } = await read(at('late.mkv'));
  assert.equal(times(frames).map(toNumber), [10, 10.04, 10.08]);
  assert.equal(source.info.duration, rational(3, 25));
  assert.not.match(source.warnings.join(' '), /cut off/);
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
  const { frames } = await read(path, { start: seconds(0.5), duration: seconds(0.3) });
  assert.equal(times(frames).map(toNumber), [0.52, 0.56, 0.6, 0.64, 0.68, 0.72, 0.76]);
  assert.equal(frames.at(-1)!.duration, rational(4, 100));
  assert.is(frames[0]!.data[0], greyOf(60 + 4 * 13));
});

test('the expected length of a range does not reach beyond the end of the video', async () => {
  const path = await makeVideo(at('length.mp4'), { frames: 50 });
  const lengths = [
    [undefined, undefined],
    [0.5, undefined],
    [0.5, 0.25],
    [1.5, 7],
  ].map(async ([start, duration]) => {
    const range = { start: start ? seconds(start) : undefined, duration: duration ? seconds(duration) : undefined };
    return toNumber((await read(path, range)).source.length!);
  });
  assert.equal(await Promise.all(lengths), [2, 1.5, 0.25, 0.5]);
});

test('a range beyond the end is refused, saying where the end is', async () => {
  const path = await makeVideo(at('short.mp4'), { frames: 5 });
  const { code, message } = await failure(path, { start: seconds(7) });
  assert.is(code, 'BAD_ARGUMENT');
  assert.match(message, /start \(7 s\) lies behind the last frame of .*short\.mp4, which is 0\.20 s long/);
});

test('a range between two frames is refused, saying so', async () => {
  await makeVideo(at('between.mp4'), { frames: 25 });
  const { code, message } = await failure(at('between.mp4'), { start: seconds(0.05), duration: seconds(0.02) });
  assert.is(code, 'BAD_ARGUMENT');
  assert.match(message, /No frame of .*between.mp4, which is 1.00 s long, begins from 0.05 to 0.07 s.*longer duration/);
});

test('a range is exact in a file with B-frames, no index and a clock that does not start at 0', async () => {
  const path = await makeVideo(at('offset.ts'), {
    frames: Array.from({ length: 100 }, (_, i) => i + 35),
    encoderOptions: { g: '25', bf: '3' },
  });
  const whole = (await read(path)).frames;
  const origin = whole[0]!.time;
  assert.ok(origin.num > 0n);
  for (const first of [1, 24, 25, 26, 77, 99]) {
    const start = rational(first, 25);
    const { source, frames } = await read(path, { start, duration: seconds(0.2) });
    const expected = whole.slice(first, first + 5);
    assert.equal(times(frames), times(expected));
    assert.equal(
      frames.map(({ data }) => data[0]),
      expected.map(({ data }) => data[0]),
    );
    assert.equal(source.range, { start: expected[0]!.time, end: add(origin, add(start, seconds(0.2))) });
  }
});

test('a stream without timestamps is counted, with a warning', async () => {
  const { source, frames } = await read(await makeVideo(at('raw.h264'), { frames: 4 }));
  assert.equal(
    times(frames),
    [0, 1, 2, 3].map((n) => rational(n, 25)),
  );
  assert.match(source.warnings.join(), /has no timestamps; 25 frames per second are assumed/);
});

test('inputFps replaces the timestamps', async () => {
  const path = await makeVideo(at('recount.mkv'), { frames: [0, 40, 100, 130], timeBase: [1, 1000] });
  const { source, frames } = await read(path, { inputFps: rational(10), start: seconds(0.1) });
  assert.equal(
    times(frames),
    [1, 2, 3].map((n) => rational(n, 10)),
  );
  assert.equal(source.info.frameRate, rational(10));
});

test('longer audio streams are no obstacle, and no sign of a video that was cut off', async () => {
  const { source, frames } = await read(await makeVideo(at('sounds.mkv'), { audio: 1, frames: 4 }));
  assert.is(frames.length, 4);
  assert.equal(
    source.warnings.filter((warning) => !/colour matrix/.test(warning)),
    [],
  );
});

test('a playlist is refused, whatever its name, and what it names is not opened', async () => {
  const target = await makeVideo(at('target.mp4'));
  writeFileSync(at('list.m3u8'), `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://${target}\n#EXT-X-ENDLIST\n`);
  writeFileSync(at('list.mp4'), `ffconcat version 1.0\nfile '${target}'\n`);
  for (const name of ['list.m3u8', 'list.mp4']) {
    const { code, message } = await failure(at(name));
    assert.is(code, 'VIDEO_UNREADABLE');
    assert.match(message, /holds no video itself/);
  }
});

test('a name with a percent sign is a name, not a pattern', async () => {
  const { frames } = await read(await makeVideo(at('50%d.mp4'), { frames: 2 }));
  assert.is(frames.length, 2);
});

test('a stated size beyond any video is refused before memory is taken', async () => {
  const bytes = readFileSync(await makeVideo(at('huge.mp4')));
  const entry = bytes.indexOf('avc1', bytes.indexOf('stsd'));
  bytes.writeUInt16BE(65_535, entry + 28);
  bytes.writeUInt16BE(65_535, entry + 30);
  writeFileSync(at('huge.mp4'), bytes);
  const { code, message } = await failure(at('huge.mp4'));
  assert.is(code, 'VIDEO_UNSUPPORTED');
  assert.match(message, /65535x65535/);
});

test('an aborted signal ends opening and reading with ABORTED', async () => {
  const path = await makeVideo(at('abort.mp4'), { frames: 50 });
  assert.is((await failure(path, { signal: AbortSignal.abort() })).code, 'ABORTED');
  const controller = new AbortController();
  const source = await openSource(path, { signal: controller.signal });
  let count = 0;
  try {
    for await (const _ of source.frames()) if (++count === 3) controller.abort();
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code: string }).code, 'ABORTED');
  }
  assert.ok(count < 8, 'no more came than was decoded ahead');
  await source.close();
});

test('a source may be closed while it is being read, twice, and unread', async () => {
  const path = await makeVideo(at('close.mp4'), { frames: 50 });
  const source = await openSource(path);
  const frames = source.frames()[Symbol.asyncIterator]();
  await frames.next();
  const outcomes = [1, 2, 3, 4].map(() =>
    frames
      .next()
      .then(() => 'settled')
      .catch(({ code }) => code),
  );
  await Promise.all([source.close(), source.close()]);
  assert.ok((await Promise.all(outcomes)).includes('DISPOSED'));
  await (await openSource(path)).close();
});

test('frames lie in the memory that is given for them, those excepted that were read to open the file', async () => {
  const source = await openSource(await makeVideo(at('memory.mp4'), { frames: 4 }));
  const given: Uint8Array[] = [];
  const allocate = () => {
    given.push(new Uint8Array(64 * 48 * 3));
    return given.at(-1)!;
  };
  const frames: Uint8Array[] = [];
  for await (const { data } of source.frames(allocate)) frames.push(data);
  await source.close();
  assert.ok(given.length >= 2, `${given.length} of 4`);
  assert.ok(given.every((memory, index) => memory === frames[frames.length - given.length + index]));
  assert.equal(
    frames.map(([red]) => red),
    [0, 1, 2, 3].map((index) => greyOf(60 + 4 * index)),
  );
});

test('frames are decoded ahead by a few only', async () => {
  const path = await makeVideo(at('ahead.mp4'), { frames: 200, width: 640, height: 480 });
  const source = await openSource(path);
  const before = process.memoryUsage().arrayBuffers;
  for await (const _ of source.frames()) {
    await new Promise((resolve) => setTimeout(resolve, 200));
    break;
  }
  const held = (process.memoryUsage().arrayBuffers - before) / (640 * 480 * 3);
  assert.ok(held < 8, `${held} frames`);
  await source.close();
});

test.run();
