import { linkSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { InterpolateVideoOptions, VideoProgress } from '../../ts/video/index.js';
import { FlavrError, interpolateVideo, rational, toNumber } from '../../ts/video/index.js';
import { makeVideo, temporaryFolder } from './make-video.js';
import { greyOf, read, times } from './read-video.js';
import { av, decodeVideo, demux } from './sink-helper.js';

const CLIP = 'test/fixtures/video/bunny-cut.mp4';
const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

async function failure(input: string, output: string, options: InterpolateVideoOptions = {}): Promise<FlavrError> {
  const before = readdirSync(folder).sort();
  try {
    await interpolateVideo(input, output, options);
  } catch (error) {
    assert.instance(error, FlavrError, String(error));
    assert.equal(readdirSync(folder).sort(), before, 'something was left behind');
    return error as FlavrError;
  }
  assert.unreachable('it succeeded');
  throw new Error();
}

test('N frames become (N-1)*k + 1 in the same time, with no frame made across the cut', async () => {
  const progress: VideoProgress[] = [];
  const summary = await interpolateVideo(CLIP, at('plain.mp4'), { onProgress: (report) => progress.push(report) });
  assert.equal([summary.framesIn, summary.framesOut, summary.windows], [24, 47, 22]);
  assert.equal(summary.cuts, [rational(1, 2)]);
  assert.equal(summary.duration, rational(1));
  assert.equal([summary.backend, summary.model, summary.width, summary.height], ['cpu', 'mini-2x', 160, 90]);
  const { framesIn, framesOut, framesTotal, etaSeconds } = progress.at(-1)!;
  assert.equal([framesIn, framesOut, framesTotal, etaSeconds], [24, 47, 47, 0]);
  const { source, frames } = await read(at('plain.mp4'));
  assert.equal(
    times(frames),
    Array.from({ length: 47 }, (_, i) => rational(i, 48)),
  );
  assert.equal(source.info.duration, rational(1));
});

test('the summary says where the time went, stage by stage', async () => {
  const { timings, ...counts } = await interpolateVideo(CLIP, at('timed.mp4'), { duration: rational(1, 4) });
  const { totalMs, ...stages } = timings;
  const { framesIn, framesOut, windows } = counts;
  const expected = { decode: framesIn, convertIn: framesIn, detectCuts: framesIn, model: windows };
  const written = { convertOut: framesOut, encode: framesOut, write: framesOut };
  assert.equal(Object.fromEntries(Object.entries(stages).map(([name, { count }]) => [name, count])), {
    ...expected,
    ...written,
  });
  for (const [name, stage] of Object.entries(stages)) {
    assert.ok(stage.totalMs > 0, name);
    assert.is(stage.msEach, stage.totalMs / stage.count, name);
    assert.is(stage.share, stage.totalMs / totalMs, name);
  }
  assert.ok(totalMs <= counts.seconds * 1000, 'the run lasted longer than the call');
});

test('without detection the cut is a gap like any other', async () => {
  const around = { start: rational(11, 24), duration: rational(3, 24) };
  const cut = await interpolateVideo(CLIP, at('cut.mp4'), around);
  assert.equal([cut.framesOut, cut.windows, cut.cuts], [5, 1, [rational(1, 2)]]);
  const uncut = await interpolateVideo(CLIP, at('uncut.mp4'), { ...around, sceneThreshold: 'off' });
  assert.equal([uncut.framesOut, uncut.windows, uncut.cuts], [5, 2, []]);
});

test('a flat grey clip comes out flat and grey, originals and new frames alike', async () => {
  const paint = (planes: Buffer[]) => planes.forEach((plane, index) => void plane.fill(index === 0 ? 126 : 128));
  await makeVideo(at('grey.mp4'), { frames: 4, paint });
  await interpolateVideo(at('grey.mp4'), at('grey-2x.mp4'), { encoderOptions: { qp: '0' } });
  const { frames } = await read(at('grey-2x.mp4'));
  assert.is(frames.length, 7);
  for (const [index, { data }] of frames.entries()) {
    const [least, most] = data.reduce(([a, b], value) => [Math.min(a!, value), Math.max(b!, value)], [255, 0]);
    const slack = index % 2 === 0 ? 0 : 2;
    assert.ok(least! >= greyOf(126) - slack && most! <= greyOf(126) + slack, `frame ${index}: ${least} to ${most}`);
  }
});

test('original frames keep their luma and chroma through RGB and back', async () => {
  const wave = (i: number, stride: number, plane: number) =>
    128 + 25 * Math.sin((i % stride) / 3 + plane) * Math.cos(Math.floor(i / stride) / 4);
  const path = await makeVideo(at('waves.mkv'), {
    codec: 'ffv1',
    frames: 2,
    paint: (planes, _, { linesize }) => {
      for (const [p, plane] of planes.entries()) {
        for (let i = 0; i < plane.length; i++) plane[i] = wave(i, linesize[p]!, p);
      }
    },
  });
  await interpolateVideo(path, at('waves-out.mkv'), { k: 1, codec: 'ffv1', encoderOptions: { pix_fmt: 'yuv420p' } });
  const [before, after] = [(await decodeVideo(path))[0]!, (await decodeVideo(at('waves-out.mkv')))[0]!];
  for (const [p, plane] of before.planes.entries()) {
    let worst = 0;
    // Beyond the border there is nothing to interpolate chroma from.
    for (let y = 2; y < (p ? 22 : 46); y++) {
      for (let x = 2; x < (p ? 30 : 62); x++) {
        const kept = after.planes[p]![y * after.strides[p]! + x]!;
        worst = Math.max(worst, Math.abs(plane[y * before.strides[p]! + x]! - kept));
      }
    }
    assert.ok(worst <= 1, `plane ${p} is off by ${worst}`);
  }
});

test('irregular times stay, and new frames come midway between them', async () => {
  await makeVideo(at('vfr.mkv'), { frames: [0, 40, 100, 130], timeBase: [1, 1000] });
  await interpolateVideo(at('vfr.mkv'), at('vfr-2x.mkv'));
  const { frames } = await read(at('vfr-2x.mkv'));
  assert.equal(
    times(frames).map((time) => Math.round(toNumber(time) * 1000)),
    [0, 20, 40, 70, 100, 115, 130],
  );
});

test('a target rate gives frames at its own instants until the end of the video', async () => {
  const { framesOut } = await interpolateVideo(CLIP, at('fps.mp4'), { fps: 60, duration: rational(1, 8) });
  assert.is(framesOut, 8);
  const { frames } = await read(at('fps.mp4'));
  assert.equal(
    times(frames),
    Array.from({ length: 8 }, (_, i) => rational(i, 60)),
  );
});

test('slow motion keeps the rate and stretches time', async () => {
  const { framesOut, duration } = await interpolateVideo(CLIP, at('slow.mp4'), { slow: 2, duration: rational(1, 8) });
  assert.is(framesOut, 5);
  assert.equal(duration, rational(1, 4));
  const { frames } = await read(at('slow.mp4'));
  assert.equal(
    times(frames),
    Array.from({ length: 5 }, (_, i) => rational(i, 24)),
  );
});

test('a range is written from time 0', async () => {
  const summary = await interpolateVideo(CLIP, at('range.mp4'), { start: rational(1, 2), duration: rational(1, 4) });
  assert.equal([summary.framesIn, summary.framesOut, summary.cuts.length], [6, 11, 0]);
  assert.equal(summary.duration, rational(1, 4));
  const { frames } = await read(at('range.mp4'));
  assert.equal(frames[0]!.time, rational(0));
});

test('a one-frame video stays one', async () => {
  await makeVideo(at('one.mp4'), { frames: 1 });
  const summary = await interpolateVideo(at('one.mp4'), at('one-2x.mp4'));
  assert.equal([summary.framesIn, summary.framesOut, summary.windows], [1, 1, 0]);
  assert.is((await read(at('one-2x.mp4'))).frames.length, 1);
});

test('a folder of images becomes a video', async () => {
  mkdirSync(at('images'));
  for (const n of [1, 2, 3]) {
    const background = { r: 20 * n, g: 40, b: 60 };
    await sharp({ create: { width: 32, height: 24, channels: 3, background } }).toFile(at(`images/${n}.png`));
  }
  const summary = await interpolateVideo(at('images'), at('images.mp4'), { inputFps: rational(10) });
  assert.is(summary.framesOut, 5);
  assert.equal(summary.duration, rational(3, 10));
  assert.equal(times((await read(at('images.mp4'))).frames).map(toNumber), [0, 0.05, 0.1, 0.15, 0.2]);
});

test('sound passes bit by bit', async () => {
  await makeVideo(at('sound-in.mkv'), { frames: 4, audio: 2 });
  await interpolateVideo(at('sound-in.mkv'), at('sound-out.mkv'));
  const [before, after] = [await demux(at('sound-in.mkv')), await demux(at('sound-out.mkv'))];
  assert.is(after.of('audio').length, 2);
  assert.equal(
    after.of('audio').map(({ packets }) => packets.map(({ hash }) => hash)),
    before.of('audio').map(({ packets }) => packets.map(({ hash }) => hash)),
  );
  await Promise.all([before.close(), after.close()]);
});

test('what is lost is told once, as it happens and in the summary', async () => {
  await makeVideo(at('deep.mkv'), { codec: 'ffv1', pixelFormat: 'yuv420p10le', frames: 2 });
  const told: string[] = [];
  const { warnings } = await interpolateVideo(at('deep.mkv'), at('deep.mp4'), { onWarning: (text) => told.push(text) });
  assert.equal(told, warnings);
  assert.is(told.filter((text) => /10 bits per channel/.test(text)).length, 1);
});

test('a GIF becomes a GIF, and images become images with their alpha', async () => {
  await makeVideo(at('loop.gif'), { codec: 'gif', pixelFormat: 'rgb8', frames: [0, 10, 20], timeBase: [1, 100] });
  assert.is((await interpolateVideo(at('loop.gif'), at('loop-2x.gif'))).framesOut, 5);
  assert.equal(times((await read(at('loop-2x.gif'))).frames).map(toNumber), [0, 0.05, 0.1, 0.15, 0.2]);
  mkdirSync(at('clear'));
  for (const n of [0, 1]) {
    const background = { r: 200, g: 40, b: 60, alpha: n };
    await sharp({ create: { width: 32, height: 24, channels: 4, background } }).toFile(at(`clear/${n}.png`));
  }
  await interpolateVideo(at('clear'), at('clear-images'));
  const { frames } = await read(at('clear-images'));
  assert.equal(
    frames.map(({ alpha }) => alpha![0]),
    [0, 128, 255],
  );
});

test('alpha is blended where the output holds it, and refused where not', async () => {
  await makeVideo(at('clear.mkv'), {
    codec: 'ffv1',
    pixelFormat: 'yuva420p',
    frames: 3,
    paint: (planes, index) => planes.forEach((plane, p) => void plane.fill(p === 3 ? 100 + 40 * index : 128)),
  });
  const { code, message } = await failure(at('clear.mkv'), at('clear.mp4'));
  assert.is(code, 'VIDEO_UNSUPPORTED');
  assert.match(message, /transparency/);
  await interpolateVideo(at('clear.mkv'), at('clear-2x.mkv'), { codec: 'ffv1' });
  const { frames } = await read(at('clear-2x.mkv'));
  assert.equal(
    frames.map(({ alpha }) => alpha![0]),
    [100, 120, 140, 160, 180],
  );
});

test('the output may not be the input, under whatever name', async () => {
  await makeVideo(at('self.mp4'), { frames: 3 });
  symlinkSync(at('self.mp4'), at('link.mp4'));
  linkSync(at('self.mp4'), at('hard.mp4'));
  for (const name of ['self.mp4', 'link.mp4', 'hard.mp4']) {
    const { code, message } = await failure(at('self.mp4'), at(name), { overwrite: true });
    assert.is(code, 'BAD_ARGUMENT');
    assert.match(message, /is the input itself/);
  }
});

test('an existing output is kept unless it may be replaced', async () => {
  writeFileSync(at('there.mp4'), 'precious');
  assert.is((await failure(CLIP, at('there.mp4'))).code, 'OUTPUT_EXISTS');
  await interpolateVideo(CLIP, at('there.mp4'), { overwrite: true, duration: rational(1, 8) });
  assert.is((await read(at('there.mp4'))).frames.length, 5);
});

test('each failure has its code and leaves nothing', async () => {
  writeFileSync(at('text.mp4'), 'no video '.repeat(100));
  await makeVideo(at('sound.mkv'), { audio: 1, frames: 0 });
  const cases: [string, string, InterpolateVideoOptions, string][] = [
    [at('absent.mp4'), at('out.mp4'), {}, 'VIDEO_UNREADABLE'],
    [at('text.mp4'), at('out.mp4'), {}, 'VIDEO_UNREADABLE'],
    [at('sound.mkv'), at('out.mp4'), {}, 'VIDEO_UNREADABLE'],
    [CLIP, at('out.mp4'), { k: 3 }, 'UNSUPPORTED_FACTOR'],
    [CLIP, at('out.mp4'), { k: 2, fps: 60 }, 'BAD_ARGUMENT'],
    [CLIP, at('out.mp4'), { sceneThreshold: 3 }, 'BAD_ARGUMENT'],
    [CLIP, at('out.mp4'), { model: 'no-such-model' }, 'MODEL_NOT_FOUND'],
    [CLIP, at('out.mp4'), { codec: 'no-such-codec' }, 'VIDEO_UNSUPPORTED'],
    [CLIP, at('out.unknown'), {}, 'VIDEO_UNSUPPORTED'],
    [CLIP, at('no/folder/out.mp4'), {}, 'VIDEO_UNWRITABLE'],
    [CLIP, at('out.mp4'), { signal: AbortSignal.abort() }, 'ABORTED'],
  ];
  for (const [input, output, options, code] of cases) {
    assert.is((await failure(input, output, options)).code, code, `${input} ${JSON.stringify(options)}`);
  }
});

test('an abort in the middle leaves nothing', async () => {
  const controller = new AbortController();
  const onProgress = ({ framesOut }: VideoProgress) => framesOut >= 1 && controller.abort();
  const { code } = await failure(CLIP, at('aborted.mp4'), { signal: controller.signal, onProgress });
  assert.is(code, 'ABORTED');
});

test('every frame of a source that pauses has a place in AVI, at the rate between its pauses', async () => {
  await makeVideo(at('pauses.mp4'), { frames: [0, 50, 100, 3000, 3050, 3100], timeBase: [1, 1000] });
  const { framesOut, warnings } = await interpolateVideo(at('pauses.mp4'), at('pauses.avi'), { backend: 'cpu', k: 2 });
  assert.is(framesOut, 11);
  assert.not.match(warnings.join(' '), /left out/);
  const { frames } = await read(at('pauses.avi'));
  assert.equal(
    times(frames).map((time) => Math.round(toNumber(time) * 1000)),
    [0, 25, 50, 75, 100, 1550, 3000, 3025, 3050, 3075, 3100],
  );
});

test('cuts are told in seconds from the first frame, as start counts', async () => {
  const dark = (planes: Buffer[], index: number) =>
    planes.forEach((plane, p) => void plane.fill(p ? 128 : index < 3 ? 30 : 200));
  await makeVideo(at('late.ts'), { frames: [50, 51, 52, 53, 54], paint: dark });
  const whole = await interpolateVideo(at('late.ts'), at('late.mkv'), { backend: 'cpu' });
  assert.equal(whole.cuts, [rational(3, 25)]);
  const { framesIn, cuts } = await interpolateVideo(at('late.ts'), at('shot.mkv'), {
    backend: 'cpu',
    start: whole.cuts[0],
  });
  assert.equal([framesIn, cuts], [2, []]);
});

test('HDR keeps what it says of its mastering display and brightness, or a warning says that it is lost', async () => {
  const display = 'G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,1)';
  await makeVideo(at('hdr.mkv'), {
    frames: 2,
    codec: 'libx265',
    pixelFormat: 'yuv420p10le',
    color: { primaries: 9, transfer: 16, matrix: 9, range: 1 },
    encoderOptions: { 'x265-params': `log-level=none:master-display=${display}:max-cll=1000,400` },
  });
  for (const name of ['hdr-out.mp4', 'hdr-out.mkv', 'hdr-out.avi']) {
    const { warnings } = await interpolateVideo(at('hdr.mkv'), at(name), { backend: 'cpu', k: 1, force8bit: true });
    const { video, close } = await demux(at(name));
    const light = video.stream.codecpar.getCodedSideData(av.AV_PKT_DATA_CONTENT_LIGHT_LEVEL);
    const mastering = video.stream.codecpar.getCodedSideData(av.AV_PKT_DATA_MASTERING_DISPLAY_METADATA);
    const isLost = /HDR metadata .* is left out: avi cannot hold it/.test(warnings.join(' '));
    assert.equal(
      [light !== null, mastering !== null, isLost],
      name.endsWith('.avi') ? [false, false, true] : [true, true, false],
    );
    if (light) assert.equal([light.readUInt32LE(0), light.readUInt32LE(4)], [1000, 400]);
    await close();
  }
});

test.run();
