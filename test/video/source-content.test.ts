import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rational } from '../../ts/rational.js';
import { makeVideo, paintNoise, temporaryFolder, type VideoRecipe } from './make-video.js';
import { failure, greyOf, read } from './read-video.js';

const folder = temporaryFolder();
const at = (name: string) => join(folder, name);

test('colour, sample aspect and rotation are read', async () => {
  const { source } = await read(
    await makeVideo(at('tags.mp4'), {
      color: { primaries: 9, transfer: 14, matrix: 9, range: 1, chromaLocation: 3 },
      sampleAspect: [4, 3],
      rotation: 90,
    }),
  );
  assert.equal(source.info.color, { primaries: 9, transfer: 14, matrix: 9, range: 1, chromaLocation: 3 });
  assert.equal(source.info.sampleAspect, rational(4, 3));
  assert.is(source.info.rotation, 90);
  assert.equal(source.warnings, []);
});

test('an unspecified matrix stays unspecified and is told', async () => {
  const small = await read(await makeVideo(at('small.mp4'), { frames: 2 }));
  assert.is(small.source.info.color.matrix, 2);
  assert.match(small.source.warnings.join(), /BT\.601 is assumed/);
  const large = await read(await makeVideo(at('large.mp4'), { frames: 1, width: 1280, height: 720 }));
  assert.match(large.source.warnings.join(), /BT\.709 is assumed/);
});

const coloured: VideoRecipe = {
  frames: 2,
  paint: ([y, u, v]) => {
    y!.fill(120);
    u!.fill(90);
    v!.fill(170);
  },
};

/** RGB of the colour above by the definition: kr and kb are the matrix's weights of red and blue. */
function rgbOf(kr: number, kb: number, full: boolean): number[] {
  const luma = full ? 120 : ((120 - 16) * 255) / 219;
  const [cb, cr] = [90 - 128, 170 - 128].map((chroma) => (full ? chroma : (chroma * 255) / 224)) as [number, number];
  const red = luma + 2 * (1 - kr) * cr;
  const blue = luma + 2 * (1 - kb) * cb;
  return [red, (luma - kr * red - kb * blue) / (1 - kr - kb), blue];
}

for (const [name, matrix, kr, kb, range] of [
  ['BT.709', 1, 0.2126, 0.0722, 1],
  ['BT.601', 6, 0.299, 0.114, 1],
  ['BT.2020', 9, 0.2627, 0.0593, 1],
  ['BT.709 in full range', 1, 0.2126, 0.0722, 2],
] as const) {
  test(`a flat colour comes out flat and right: ${name}`, async () => {
    const { frames } = await read(
      await makeVideo(at(`${matrix}-${range}.mp4`), { ...coloured, color: { matrix, range } }),
    );
    const expected = rgbOf(kr, kb, range === 2);
    const { data } = frames[1]!;
    for (let i = 0; i < data.length; i++) {
      assert.ok(Math.abs(data[i]! - expected[i % 3]!) <= 1, `${data.slice(0, 3)} instead of ${expected}`);
      assert.is(data[i], data[i % 3], 'not flat');
    }
  });
}

test('a matrix that cannot be converted is refused with what to do', async () => {
  await makeVideo(at('ycgco.mkv'), { color: { matrix: 8 } });
  const { code, message } = await failure(at('ycgco.mkv'));
  assert.is(code, 'VIDEO_UNSUPPORTED');
  assert.match(message, /colour matrix 8 .*convert the video to BT\.709/);
});

test('10 bits are reduced to 8 with a warning, and flat stays flat', async () => {
  const { source, frames } = await read(
    await makeVideo(at('deep.mkv'), {
      frames: 2,
      codec: 'ffv1',
      pixelFormat: 'yuv420p10le',
      paint: (planes) => {
        for (const [index, plane] of planes.entries()) {
          for (let i = 0; i + 1 < plane.length; i += 2) plane.writeUInt16LE(index === 0 ? 401 : 512, i);
        }
      },
    }),
  );
  assert.is(source.info.bitDepth, 10);
  assert.match(source.warnings.join(), /10 bits per channel; they are reduced to 8/);
  const { data } = frames[0]!;
  assert.ok(Math.abs(data[0]! - greyOf(401 / 4)) <= 1);
  assert.ok(data.every((value) => value === data[0]));
});

for (const [name, transfer] of [
  ['PQ', 16],
  ['HLG', 18],
] as const) {
  test(`${name} is refused unless it is forced`, async () => {
    const color = { primaries: 9, transfer, matrix: 9, range: 1 };
    const path = await makeVideo(at(`${name}.mp4`), { frames: 2, color });
    const { code, message } = await failure(path);
    assert.is(code, 'VIDEO_UNSUPPORTED');
    assert.match(message, new RegExp(`HDR video \\(${name}\\).*--force-8bit`));
    const { source, frames } = await read(path, { force8bit: true });
    assert.is(frames.length, 2);
    assert.is(source.info.color.transfer, transfer);
  });
}

/** An edge that moves by 6 pixels from field to field: even lines are one instant, odd lines the next. */
const combed: VideoRecipe = {
  frames: 4,
  interlaced: true,
  width: 64,
  height: 64,
  encoderOptions: { qp: '1', x264opts: 'interlaced=1' },
  paint: ([y, u, v], index, frame) => {
    const stride = frame.linesize[0]!;
    for (let row = 0; row < 64; row++) {
      const edge = 8 + 6 * (2 * index + (row % 2));
      y!.fill(60, row * stride, row * stride + edge).fill(200, row * stride + edge, row * stride + 64);
    }
    u!.fill(128);
    v!.fill(128);
  },
};

/** Mean difference between neighbouring lines in the middle of the picture. */
function combing(data: Uint8Array): number {
  let sum = 0;
  const line = 64 * 3;
  for (let i = 20 * line; i < 44 * line; i++) sum += Math.abs(data[i]! - data[i - line]!);
  return sum / (24 * line);
}

test('an interlaced video is warned of, and deinterlaced when asked', async () => {
  const path = await makeVideo(at('interlaced.mp4'), combed);
  const plain = await read(path);
  assert.is(plain.source.info.interlaced, true);
  assert.match(plain.source.warnings.join(), /is interlaced.*--deinterlace/);
  const clean = await read(path, { deinterlace: true });
  assert.not.match(clean.source.warnings.join(), /is interlaced/);
  assert.is(clean.frames.length, plain.frames.length);
  assert.equal(
    clean.frames.map(({ time, duration }) => [time, duration]),
    plain.frames.map(({ time, duration }) => [time, duration]),
  );
  const [before, after] = [plain, clean].map(({ frames }) => combing(frames[2]!.data)) as [number, number];
  assert.ok(before > 10 && after < before / 3, `${before} ${after}`);
});

const translucent: VideoRecipe = {
  codec: 'ffv1',
  pixelFormat: 'yuva420p',
  frames: 3,
  paint: ([y, u, v, a], index) => {
    y!.fill(126);
    u!.fill(128);
    v!.fill(128);
    a!.fill(100 + index);
  },
};

test('an alpha channel comes beside the colours', async () => {
  const { source, frames } = await read(await makeVideo(at('alpha.mkv'), translucent));
  assert.is(source.info.alpha, true);
  for (const [index, { data, alpha }] of frames.entries()) {
    assert.is(alpha!.length, 64 * 48);
    assert.ok(alpha!.every((value) => value === 100 + index));
    assert.ok(data.every((value) => value === greyOf(126)));
  }
});

test('the alpha channel of VP9 in WebM is read', async () => {
  const path = await makeVideo(at('alpha.webm'), {
    ...translucent,
    codec: 'libvpx-vp9',
    metadata: { alpha_mode: '1' },
  });
  const { source, frames } = await read(path);
  assert.is(source.info.alpha, true);
  assert.ok(Math.abs(frames[0]!.alpha![0]! - 100) <= 3, `${frames[0]!.alpha![0]}`);
});

test('an alpha channel that is opaque throughout is none', async () => {
  const opaque = { ...translucent, paint: (planes: Buffer[]) => planes.forEach((plane) => void plane.fill(255)) };
  const { source, frames } = await read(await makeVideo(at('opaque.mkv'), opaque));
  assert.is(source.info.alpha, false);
  assert.is(frames[0]!.alpha, undefined);
});

test('transparency that begins late is found', async () => {
  const late: VideoRecipe = {
    ...translucent,
    frames: 6,
    paint: (planes, index) => {
      for (const plane of planes) plane.fill(255);
      if (index === 5) planes[3]![0] = 254;
    },
  };
  const { source, frames } = await read(await makeVideo(at('late.mkv'), late));
  assert.is(source.info.alpha, true);
  assert.equal(
    frames.map(({ alpha }) => alpha![0]),
    [255, 255, 255, 255, 255, 254],
  );
});

/** A GIF of single-colour frames with the given delays in hundredths of a second, written byte by byte. */
function gif(delays: readonly number[], transparent: boolean): Buffer {
  const header = Buffer.from([...Buffer.from('GIF89a'), 4, 0, 4, 0, 0x80, 0, 0, 200, 30, 30, 30, 30, 200]);
  const frames = delays.flatMap((delay, index) => [
    ...[0x21, 0xf9, 4, transparent ? 0x09 : 0x08, delay & 255, delay >> 8, transparent ? 1 : 0, 0],
    ...[0x2c, 0, 0, 0, 0, 4, 0, 4, 0, 0],
    // LZW: code size 2, clear, sixteen times one colour, end, without any growth of codes (cleared in time).
    ...lzwFlat(index % 2),
  ]);
  return Buffer.concat([header, Buffer.from(frames), Buffer.from([0x3b])]);
}

function lzwFlat(color: number): number[] {
  const codes = Array.from({ length: 16 }, (_, i) => (i % 2 === 0 ? [4, color] : [color])).flat();
  const bits = [...codes, 5].flatMap((code) => [code & 1, (code >> 1) & 1, (code >> 2) & 1]);
  const bytes: number[] = [];
  for (let i = 0; i < bits.length; i += 8)
    bytes.push(bits.slice(i, i + 8).reduce((sum, bit, n) => sum | (bit << n), 0));
  return [2, bytes.length, ...bytes, 0];
}

test('a GIF has the times of its delays, and no alpha if nothing shows through', async () => {
  writeFileSync(at('plain.gif'), gif([10, 20, 30], false));
  const { source, frames } = await read(at('plain.gif'));
  assert.is(source.info.kind, 'gif');
  assert.is(source.info.alpha, false);
  assert.equal(
    frames.map(({ time, duration }) => [time, duration]),
    [
      [rational(0), rational(1, 10)],
      [rational(1, 10), rational(2, 10)],
      [rational(3, 10), rational(3, 10)],
    ],
  );
  assert.equal([...frames[0]!.data.slice(0, 3)], [200, 30, 30]);
  assert.equal([...frames[1]!.data.slice(0, 3)], [30, 30, 200]);
});

test('a transparent GIF has alpha', async () => {
  writeFileSync(at('clear.gif'), gif([10, 10], true));
  const { source, frames } = await read(at('clear.gif'));
  assert.is(source.info.alpha, true);
  assert.is(frames[0]!.alpha![0], 255);
  assert.is(frames[1]!.alpha![0], 0);
});

test('a damaged stretch is passed over with a warning', async () => {
  const path = await makeVideo(at('hurt.mp4'), { frames: 30, encoderOptions: { qp: '20', g: '5' }, paint: paintNoise });
  const bytes = readFileSync(path);
  bytes.fill(0x55, Math.floor(bytes.length * 0.5), Math.floor(bytes.length * 0.53));
  writeFileSync(path, bytes);
  const { source, frames } = await read(path);
  assert.ok(frames.length > 10 && frames.length <= 30, `${frames.length}`);
  assert.match(source.warnings.join(), /is damaged: \d+ packets or frames/);
});

test.run();
