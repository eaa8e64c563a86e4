import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Rational, rational, toNumber, ZERO } from '../../ts/rational.js';
import { openSink } from '../../ts/video/sink.js';
import { openSource } from '../../ts/video/source.js';
import { rejects } from '../support/rejects.js';
import { buildSource } from './build-source.js';
import {
  av,
  byTime,
  decodeVideo,
  demux,
  evenTimes,
  picture,
  seconds,
  sinkOptions,
  toMilliseconds,
  videoInfo,
  withFolder,
  writeFrames,
} from './sink-helper.js';

/** The length of the video stream, as its file states it. */
const length = ({ duration, timeBase }: { duration: bigint; timeBase: { num: number; den: number } }) =>
  seconds(rational(duration * BigInt(timeBase.num), timeBase.den));

for (const extension of ['mp4', 'mov']) {
  test(`writes every frame at its exact time into .${extension}, the last with its own duration`, () =>
    withFolder(async (folder) => {
      const path = join(folder, `out.${extension}`);
      const rate = rational(60000, 1001);
      const sink = await openSink(path, sinkOptions({ frameRate: rate }));
      const times = evenTimes(61, rate);
      await writeFrames(sink, videoInfo(), times, rational(1001, 30000));
      await sink.finish();
      const file = await demux(path);
      assert.equal(
        byTime(file.video.packets).map(({ pts }) => seconds(pts)),
        times.map(seconds),
      );
      assert.is(length(file.video.stream), seconds(rational(62 * 1001, 60000)));
      assert.is(file.input.startTime, 0n);
      await file.close();
      assert.is((await decodeVideo(path)).length, 61);
    }));
}

const VARIABLE: readonly Rational[] = [0, 3003, 4504, 9010, 9011, 90_000, 90_001, 123_457].map((n) =>
  rational(n, 180_000),
);

test('takes rates whose numbers FFmpeg cannot hold', () =>
  withFolder(async (folder) => {
    const rate = rational(23_976_023_977n, 1_000_000_000n);
    for (const name of ['out.mp4', 'out.mov']) {
      const path = join(folder, name);
      const sink = await openSink(path, sinkOptions({ frameRate: rate }));
      await writeFrames(sink, videoInfo(), evenTimes(30, rate), rational(1, 24));
      await sink.finish();
      const away = (await decodeVideo(path)).map(({ pts }, n) => Math.abs(toNumber(pts) - n / 23.976023977));
      assert.is(away.length, 30, name);
      assert.ok(Math.max(...away) < 1e-6, name);
    }
  }));

test('keeps a variable rate exactly, to the tick of the stated step', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.mp4');
    const sink = await openSink(path, sinkOptions({ frameRate: undefined, timeBase: rational(1, 180_000) }));
    await writeFrames(sink, videoInfo(), VARIABLE, rational(1, 24));
    await sink.finish();
    const file = await demux(path);
    assert.equal(
      byTime(file.video.packets).map(({ pts }) => seconds(pts)),
      VARIABLE.map(seconds),
    );
    assert.is(length(file.video.stream), seconds(rational(123_457 + 7500, 180_000)));
    await file.close();
  }));

// Long gaps before short ones and the other way round: with frames out of order, decode times then lie far from what is
// shown, and the lengths that MP4 keeps of both must still be right.
for (const times of [
  [0, 5000, 10_000, 15_000, 15_040, 15_080, 15_120, 15_160, 15_200, 15_240],
  [0, 40, 80, 120, 160, 5000, 10_000, 15_000],
  [1000, 1040, 1080, 9000],
]) {
  test(`keeps the length of a very uneven video (${times.join(', ')} ms)`, () =>
    withFolder(async (folder) => {
      const path = join(folder, 'out.mp4');
      const sink = await openSink(path, sinkOptions({ frameRate: undefined, timeBase: rational(1, 1000) }));
      const exact = times.map((time) => rational(time, 1000));
      await writeFrames(sink, videoInfo(), exact, rational(1, 10));
      await sink.finish();
      const file = await demux(path);
      const end = times.at(-1)! + 100;
      assert.is(length(file.video.stream), seconds(rational(end - times[0]!, 1000)));
      assert.is(Number(file.input.duration + file.input.startTime) / 1000, end);
      await file.close();
      assert.equal(
        (await decodeVideo(path)).map(({ pts }) => toMilliseconds(pts)),
        times,
      );
    }));
}

test('rounds each time to the nearest millisecond in Matroska, so that nothing drifts', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.mkv');
    const rate = rational(60000, 1001);
    const sink = await openSink(path, sinkOptions({ frameRate: rate }));
    const times = evenTimes(300, rate);
    await writeFrames(sink, videoInfo(), times, rational(1001, 60000));
    await sink.finish();
    const file = await demux(path);
    assert.equal(
      byTime(file.video.packets).map(({ pts }) => toMilliseconds(pts)),
      times.map(toMilliseconds),
    );
    await file.close();
  }));

test('multiplies times in slow motion', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.mp4');
    const sink = await openSink(path, sinkOptions({ slow: 4, audio: 'drop' }));
    const times = evenTimes(10, rational(25));
    await writeFrames(sink, videoInfo(), times, rational(1, 25));
    await sink.finish();
    const file = await demux(path);
    assert.equal(
      byTime(file.video.packets).map(({ pts }) => seconds(pts)),
      times.map(({ num, den }) => seconds(rational(num * 4n, den))),
    );
    await file.close();
  }));

test('writes colour tags, sample aspect and rotation back', () =>
  withFolder(async (folder) => {
    for (const extension of ['mp4', 'mov', 'mkv']) {
      const path = join(folder, `out.${extension}`);
      const info = videoInfo({
        color: { primaries: 9, transfer: 14, matrix: 9, range: 1, chromaLocation: 3 },
        sampleAspect: rational(4, 3),
        rotation: 90,
      });
      const sink = await openSink(path, sinkOptions({ info }));
      await writeFrames(sink, info, evenTimes(3, rational(25)), rational(1, 25));
      await sink.finish();
      const source = await openSource(path, {});
      assert.equal(source.info.color, info.color, extension);
      assert.equal(source.info.sampleAspect, info.sampleAspect, extension);
      assert.is(source.info.rotation, 90, extension);
      await source.close();
    }
  }));

for (const output of ['out.gif', 'out.ts', 'out.avi', 'frames']) {
  test(`turns the pictures themselves where the output cannot say how to: ${output}`, () =>
    withFolder(async (folder) => {
      const info = videoInfo({ rotation: 90 });
      const sink = await openSink(join(folder, output), sinkOptions({ info }));
      assert.equal([sink.info.width, sink.info.height, sink.info.rotation], [48, 64, 0]);
      // Dark above, bright below: turned clockwise, dark lies to the right.
      const data = new Uint8Array(64 * 48 * 3).fill(220);
      data.fill(30, 0, 64 * 24 * 3);
      await sink.write({ data, alpha: undefined, time: ZERO, duration: rational(1, 25) });
      await sink.finish();
      const source = await openSource(join(folder, output), {});
      assert.equal([source.info.width, source.info.height, source.info.rotation], [48, 64, 0]);
      for await (const frame of source.frames()) {
        const shade = (x: number, y: number) => (frame.data[(y * 48 + x) * 3]! < 128 ? 'dark' : 'bright');
        assert.equal([shade(5, 5), shade(42, 5), shade(5, 58), shade(42, 58)], ['bright', 'dark', 'bright', 'dark']);
      }
      await source.close();
    }));
}

test('turns transparency with the colours', () =>
  withFolder(async (folder) => {
    const info = videoInfo({ rotation: 270, alpha: true });
    const sink = await openSink(join(folder, 'frames'), sinkOptions({ info }));
    const alpha = new Uint8Array(64 * 48).fill(255);
    alpha.fill(0, 0, 64 * 24);
    await sink.write({ data: picture(info, 0), alpha, time: ZERO, duration: rational(1, 25) });
    await sink.finish();
    const source = await openSource(join(folder, 'frames'), {});
    for await (const frame of source.frames()) {
      // What was above lies to the left.
      assert.equal([frame.alpha![0], frame.alpha![47], frame.alpha!.at(-1)], [0, 255, 255]);
    }
    await source.close();
  }));

test('keeps a mirroring of the source, which degrees cannot tell', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    const mirror = Buffer.from(new Int32Array([-65_536, 0, 0, 0, 65_536, 0, 0, 0, 1 << 30]).buffer);
    await buildSource(source, { muxer: 'mp4', frames: 5, displayMatrix: mirror });
    const sink = await openSink(join(folder, 'out.mp4'), sinkOptions({ copyFrom: source }));
    await writeFrames(sink, videoInfo(), evenTimes(5, rational(25)), rational(1, 25));
    await sink.finish();
    const file = await demux(join(folder, 'out.mp4'));
    const matrix = file.video.stream.codecpar.getCodedSideData(av.AV_PKT_DATA_DISPLAYMATRIX);
    assert.equal(matrix?.subarray(0, 20), mirror.subarray(0, 20));
    await file.close();
  }));

for (const { name, color } of [
  { name: 'BT.709, limited', color: { primaries: 1, transfer: 1, matrix: 1, range: 1 } },
  { name: 'BT.601, full', color: { primaries: 6, transfer: 6, matrix: 6, range: 2 } },
  { name: 'nothing stated', color: { primaries: 2, transfer: 2, matrix: 2, range: 0 } },
]) {
  test(`leaves a flat grey flat, and of the same value (${name})`, () =>
    withFolder(async (folder) => {
      const path = join(folder, 'out.mp4');
      const info = videoInfo({ color });
      const sink = await openSink(path, sinkOptions({ info }));
      const greys = [0, 16, 77, 128, 200, 235, 255];
      for (const [n, grey] of greys.entries()) {
        const data = new Uint8Array(64 * 48 * 3).fill(grey);
        await sink.write({ data, alpha: undefined, time: rational(n, 25), duration: rational(1, 25) });
      }
      await sink.finish();
      const source = await openSource(path, {});
      const read: number[] = [];
      for await (const { data } of source.frames()) {
        assert.is(new Set(data).size, 1, 'one value all over');
        read.push(data[0]!);
      }
      await source.close();
      for (const [n, grey] of greys.entries()) assert.ok(Math.abs(read[n]! - grey) <= 1, `${grey} became ${read[n]}`);
    }));
}

test('states the matrix it chose for RGB sources', () =>
  withFolder(async (folder) => {
    const info = videoInfo({ kind: 'images', color: { primaries: 1, transfer: 13, matrix: 0, range: 2 } });
    const sink = await openSink(join(folder, 'out.mp4'), sinkOptions({ info }));
    await writeFrames(sink, info, evenTimes(2, rational(25)), rational(1, 25));
    await sink.finish();
    const source = await openSource(join(folder, 'out.mp4'), {});
    assert.equal(source.info.color, { primaries: 1, transfer: 13, matrix: 6, range: 1, chromaLocation: 1 });
    assert.is(source.info.pixelFormat, 'yuv420p');
    await source.close();
  }));

test('keeps colours where the codec or container cannot state their matrix', () =>
  withFolder(async (folder) => {
    // Saturated, so that a wrong matrix shows, and flat, so that nothing else does.
    const data = Uint8Array.from({ length: 64 * 48 * 3 }, (_, n) => [200, 40, 60][n % 3]!);
    const info = videoInfo({ color: { primaries: 1, transfer: 1, matrix: 1, range: 1 } });
    for (const [name, codec] of [
      ['out.mp4', undefined],
      ['out.avi', undefined],
      ['out.mkv', 'mjpeg'],
      ['out.webm', 'libvpx'],
      ['out.mkv', 'ffv1'],
      ['out.mov', 'prores_ks'],
    ] as const) {
      const path = join(folder, name);
      const sink = await openSink(path, sinkOptions({ info, codec, overwrite: true }));
      await sink.write({ data, alpha: undefined, time: rational(0), duration: rational(1, 25) });
      await sink.finish();
      const source = await openSource(path, {});
      for await (const frame of source.frames()) {
        const away = Math.max(...frame.data.map((value, n) => Math.abs(value - data[n]!)));
        assert.ok(away <= 6, `${name} (${codec ?? 'default'}) is up to ${away} away`);
      }
      await source.close();
    }
  }));

test('keeps an odd size exactly, in 4:4:4 with a warning for H.264', () =>
  withFolder(async (folder) => {
    const info = videoInfo({ width: 53, height: 37 });
    for (const [extension, format, warnings] of [
      ['mp4', 'yuv444p', 1],
      ['webm', 'yuv420p', 0],
    ] as const) {
      const path = join(folder, `out.${extension}`);
      const sink = await openSink(path, sinkOptions({ info }));
      await writeFrames(sink, info, evenTimes(3, rational(25)), rational(1, 25));
      await sink.finish();
      assert.is(sink.warnings.length, warnings);
      const source = await openSource(path, {});
      assert.equal([source.info.width, source.info.height, source.info.pixelFormat], [53, 37, format]);
      await source.close();
    }
  }));

test('takes another encoder, factor, pixel format and muxer options', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.mkv');
    const sink = await openSink(
      path,
      sinkOptions({
        codec: 'libx265',
        crf: 30,
        encoderOptions: { preset: 'ultrafast', pix_fmt: 'yuv444p', live: '1' },
      }),
    );
    await writeFrames(sink, videoInfo(), evenTimes(3, rational(25)), rational(1, 25));
    await sink.finish();
    const file = await demux(path);
    assert.is(file.video.codec, 'hevc');
    assert.is(av.avGetPixFmtName(file.video.stream.codecpar.format as never), 'yuv444p');
    await file.close();
  }));

test('writes AVI and MPEG-TS', () =>
  withFolder(async (folder) => {
    for (const extension of ['avi', 'ts']) {
      const path = join(folder, `out.${extension}`);
      const sink = await openSink(path, sinkOptions());
      await writeFrames(sink, videoInfo(), evenTimes(30, rational(25)), rational(1, 25));
      await sink.finish();
      assert.is((await decodeVideo(path)).length, 30, extension);
    }
  }));

for (const [codec, extension] of [
  ['mpeg2video', 'ts'],
  ['libtheora', 'mkv'],
  ['rawvideo', 'avi'],
] as const) {
  test(`writes every frame with ${codec}, which counts frames or takes any pixel format`, () =>
    withFolder(async (folder) => {
      const path = join(folder, `out.${extension}`);
      // The source's clock is finer than its rate.
      const timeBase = rational(1, 90_000);
      const sink = await openSink(path, sinkOptions({ info: videoInfo({ timeBase }), codec }));
      await writeFrames(sink, videoInfo(), evenTimes(30, rational(25)), rational(1, 25));
      await sink.finish();
      const file = await demux(path);
      const times = byTime(file.video.packets).map(({ pts }) => toMilliseconds(pts));
      assert.equal(
        times.map((time) => time - times[0]!),
        Array.from({ length: 30 }, (_, n) => n * 40),
      );
      await file.close();
    }));
}

for (const [name, codec, most] of [
  ['out.avi', undefined, 25],
  ['out.mkv', 'mpeg2video', 25],
  ['out.mkv', 'libtheora', 25],
  ['out.gif', undefined, 50],
] as const) {
  test(`leaves out frames for which ${name} (${codec ?? 'default encoder'}) has no place, and says so`, () =>
    withFolder(async (folder) => {
      const path = join(folder, name);
      const info = videoInfo();
      const sink = await openSink(path, sinkOptions({ info, codec }));
      const times = [0, 200, 210, 400, 600].map((time) => rational(time, 1000));
      const written: boolean[] = [];
      for (const [index, time] of times.entries()) {
        const frame = { data: picture(info, index), alpha: undefined, time, duration: rational(1, 5) };
        written.push(await sink.write(frame));
      }
      await sink.finish();
      assert.equal(written, [true, true, false, true, true]);
      assert.match(sink.warnings.join(' '), new RegExp(`can hold at most ${most} frames per second; where more come`));
      const shown = (await decodeVideo(path)).map(({ pts }) => toMilliseconds(pts));
      assert.equal(shown, [0, 200, 400, 600]);
    }));
}

test('an encoder that refuses the rate is named with it', () =>
  withFolder(async (folder) => {
    const options = sinkOptions({ codec: 'mpeg2video', frameRate: rational(47) });
    await rejects(
      openSink(join(folder, 'out.ts'), options),
      'VIDEO_UNSUPPORTED',
      /mpeg2video .* at 47 frames per second/,
    );
  }));

test('writes .m2ts and .mts with the time before each packet that Blu-ray and cameras have', () =>
  withFolder(async (folder) => {
    for (const extension of ['m2ts', 'mts']) {
      const path = join(folder, `out.${extension}`);
      const sink = await openSink(path, sinkOptions());
      await writeFrames(sink, videoInfo(), evenTimes(5, rational(25)), rational(1, 25));
      await sink.finish();
      const bytes = await readFile(path);
      assert.is(bytes.length % 192, 0, extension);
      for (let at = 4; at < bytes.length; at += 192) assert.is(bytes[at], 0x47, `${extension}, byte ${at}`);
    }
  }));

test('fills two files at once', () =>
  withFolder(async (folder) => {
    const paths = ['a.mp4', 'b.mp4'].map((name) => join(folder, name));
    const counts = await Promise.all(
      paths.map(async (path, n) => {
        const sink = await openSink(path, sinkOptions());
        await writeFrames(sink, videoInfo(), evenTimes(20 + n, rational(25)), rational(1, 25));
        await sink.finish();
        return (await decodeVideo(path)).length;
      }),
    );
    assert.equal(counts, [20, 21]);
  }));

test.run();
