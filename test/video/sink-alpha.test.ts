import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import { rational } from '../../ts/rational.js';
import { openSink } from '../../ts/video/sink.js';
import { openSource } from '../../ts/video/source.js';
import {
  demux,
  evenTimes,
  picture,
  sinkOptions,
  toMilliseconds,
  videoInfo,
  withFolder,
  writeFrames,
} from './sink-helper.js';

const RATE = rational(25);
const INFO = videoInfo({ alpha: true });
const ALPHA = Uint8Array.from({ length: 64 * 48 }, (_, n) => (n % 64 < 32 ? 0 : 255));

const refusal = async (work: Promise<unknown>): Promise<FlavrError> => {
  try {
    await work;
  } catch (error) {
    assert.instance(error, FlavrError);
    return error as FlavrError;
  }
  return assert.unreachable('it should have been refused') as never;
};

for (const name of ['out.webm', 'out.mkv', 'out.mov', 'out.gif']) {
  test(`keeps transparency in ${name}`, () =>
    withFolder(async (folder) => {
      const path = join(folder, name);
      const sink = await openSink(path, sinkOptions({ info: INFO }));
      await writeFrames(sink, INFO, evenTimes(4, RATE), rational(1, 25), ALPHA);
      await sink.finish();
      const source = await openSource(path, {});
      assert.ok(source.info.alpha);
      let count = 0;
      for await (const { alpha } of source.frames()) {
        count += 1;
        const wrong = ALPHA.filter((value, n) => Math.abs(value - alpha![n]!) > 24 && n % 64 !== 31 && n % 64 !== 32);
        assert.is(wrong.length, 0);
      }
      assert.is(count, 4);
      await source.close();
    }));
}

test('refuses transparency where it would be lost, naming where it is not', () =>
  withFolder(async (folder) => {
    for (const [name, codec, encoderOptions = {}] of [
      ['out.mp4', undefined],
      ['out.ts', undefined],
      ['out.mkv', 'libx264'],
      ['out', 'jpeg'],
      ['out.webm', undefined, { pix_fmt: 'yuv420p' }],
    ] as const) {
      const error = await refusal(openSink(join(folder, name), sinkOptions({ info: INFO, codec, encoderOptions })));
      assert.is(error.code, 'VIDEO_UNSUPPORTED');
      assert.match(error.message, /transparency/);
      assert.match(error.message, /PNG/);
    }
    assert.equal(await readdir(folder), []);
  }));

test('carries the error of GIF delays, which are hundredths of a second', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.gif');
    const sink = await openSink(path, sinkOptions({ frameRate: rational(30) }));
    await writeFrames(sink, videoInfo(), evenTimes(10, rational(30)), rational(2, 10));
    await sink.finish();
    const { video, close } = await demux(path);
    assert.equal(
      video.packets.map(({ pts }) => toMilliseconds(pts)),
      [0, 30, 70, 100, 130, 170, 200, 230, 270, 300],
    );
    assert.is(toMilliseconds(video.packets.at(-1)!.duration), 200);
    await close();
  }));

test('keeps up to 256 colours of a GIF frame as they are', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.gif');
    const sink = await openSink(path, sinkOptions());
    const data = new Uint8Array(64 * 48 * 3).fill(77);
    await sink.write({ data, alpha: undefined, time: rational(0), duration: rational(1, 10) });
    await sink.finish();
    const source = await openSource(path, {});
    for await (const frame of source.frames()) assert.equal(new Set(frame.data), new Set([77]));
    await source.close();
  }));

test('refuses more frames per second than GIF players show', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.gif');
    const early = await refusal(openSink(path, sinkOptions({ frameRate: rational(60) })));
    assert.is(early.code, 'VIDEO_UNSUPPORTED');
    assert.match(early.message, /at most 50 frames per second.*k can be at most 2/);
    assert.equal(await readdir(folder), []);
  }));

test('writes a folder of numbered PNG images, exactly', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'frames');
    const sink = await openSink(path, sinkOptions({ info: INFO }));
    await writeFrames(sink, INFO, evenTimes(3, RATE), rational(1, 25), ALPHA);
    assert.is((await readdir(folder)).includes('frames'), false);
    await sink.finish();
    assert.equal((await readdir(path)).sort(), ['000001.png', '000002.png', '000003.png']);
    assert.equal(await readdir(folder), ['frames']);
    const { data, info } = await sharp(join(path, '000002.png')).raw().toBuffer({ resolveWithObject: true });
    assert.is(info.channels, 4);
    const expected = picture(INFO, 1);
    for (let pixel = 0; pixel < ALPHA.length; pixel += 1) {
      const [r, g, b, a] = data.subarray(pixel * 4, pixel * 4 + 4);
      assert.equal([r, g, b, a], [...expected.subarray(pixel * 3, pixel * 3 + 3), ALPHA[pixel]]);
    }
  }));

test('writes JPEG images where asked', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'frames');
    const sink = await openSink(path, sinkOptions({ codec: 'jpeg', encoderOptions: { quality: '80' } }));
    await writeFrames(sink, videoInfo(), evenTimes(2, RATE), rational(1, 25));
    await sink.finish();
    assert.equal((await readdir(path)).sort(), ['000001.jpg', '000002.jpg']);
    assert.is((await sharp(join(path, '000001.jpg')).metadata()).width, 64);
  }));

test('warns that images cannot say that pixels are not square', () =>
  withFolder(async (folder) => {
    const info = videoInfo({ sampleAspect: rational(64, 45) });
    const sink = await openSink(join(folder, 'frames'), sinkOptions({ info }));
    assert.match(sink.warnings.join(' '), /not square \(64:45\)/);
    await sink.abort();
  }));

test.run();
