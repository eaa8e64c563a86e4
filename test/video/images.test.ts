import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { numberingGap } from '../../ts/natural-order.js';
import { rational } from '../../ts/rational.js';
import { temporaryFolder } from './make-video.js';
import { failure, read, times } from './read-video.js';

const root = temporaryFolder();

function folder(name: string): string {
  const path = join(root, name);
  mkdirSync(path);
  return path;
}

const picture = (value: number, width = 8, height = 6, alpha?: number) =>
  sharp({
    create: {
      width,
      height,
      channels: alpha === undefined ? 3 : 4,
      background: { r: value, g: 10, b: 20, ...(alpha === undefined ? {} : { alpha: alpha / 255 }) },
    },
  });

test('images come in natural order at 24 frames per second, other files aside', async () => {
  const path = folder('plain');
  for (const n of [10, 9, 8, 11]) await picture(n).toFile(join(path, `frame${n}.png`));
  writeFileSync(join(path, 'notes.txt'), 'not a frame');
  writeFileSync(join(path, '.hidden.png'), 'not a frame either');
  const { source, frames } = await read(path);
  assert.equal(
    frames.map(({ data }) => data[0]),
    [8, 9, 10, 11],
  );
  assert.equal(
    times(frames),
    [0, 1, 2, 3].map((n) => rational(n, 24)),
  );
  assert.equal([source.info.kind, source.info.width, source.info.height], ['images', 8, 6]);
  assert.is(source.info.frameCount, 4);
  assert.is(source.info.alpha, false);
  assert.is(frames[0]!.data.buffer.byteLength, 8 * 6 * 3);
  assert.equal(source.warnings, []);
});

test('the rate of images can be chosen, and a range taken', async () => {
  const path = folder('rate');
  for (const n of [0, 1, 2, 3, 4]) await picture(n).toFile(join(path, `${n}.png`));
  const { frames } = await read(path, { inputFps: rational(10), start: rational(1, 10), duration: rational(2, 10) });
  assert.equal(times(frames), [rational(1, 10), rational(2, 10)]);
  assert.equal(
    frames.map(({ data }) => data[0]),
    [1, 2],
  );
});

test('images of different sizes are refused, naming two of them', async () => {
  const path = folder('mixed');
  await picture(1).toFile(join(path, 'a.png'));
  await picture(1, 9).toFile(join(path, 'b.png'));
  const { code, message } = await failure(path);
  assert.is(code, 'VIDEO_UNSUPPORTED');
  assert.match(message, /a\.png has 8x6, .*b\.png has 9x6/);
});

test('a number that is missing among the images is told', async () => {
  const path = folder('gap');
  for (const name of ['f1.png', 'f2.png', 'f5.png']) await picture(1).toFile(join(path, name));
  const { source } = await read(path);
  assert.match(source.warnings.join(), /skip from f2\.png to f5\.png/);
});

for (const names of [['a1.png'], ['a1.png', 'a3.png', 'a5.png'], ['a1.png', 'b7.png'], ['x.png', 'y.png', 'z9.png']]) {
  test(`no number is missing among ${names.join(', ')}`, () => {
    assert.is(numberingGap(names), undefined);
  });
}

test('alpha of any image is read for all', async () => {
  const path = folder('alpha');
  await picture(1, 8, 6, 51).toFile(join(path, 'a.png'));
  await picture(2).toFile(join(path, 'b.png'));
  const { source, frames } = await read(path);
  assert.is(source.info.alpha, true);
  assert.equal(
    frames.map(({ data, alpha }) => [data[0], alpha![0]]),
    [
      [1, 51],
      [2, 255],
    ],
  );
});

test('16 bits are reduced with a warning', async () => {
  const path = folder('deep');
  await sharp(Buffer.alloc(8 * 6 * 3 * 2, 0x80), {
    raw: { width: 8, height: 6, channels: 3, depth: 'ushort' } as never,
  })
    .toColourspace('rgb16')
    .png()
    .toFile(join(path, 'a.png'));
  const { source, frames } = await read(path);
  assert.is(source.info.bitDepth, 16);
  assert.match(source.warnings.join(), /16 bits per channel/);
  assert.ok(Math.abs(frames[0]!.data[0]! - 0x80) <= 1, `${frames[0]!.data[0]}`);
});

test('the orientation that a camera noted is applied', async () => {
  const path = folder('turned');
  await picture(50).withMetadata({ orientation: 6 }).toFile(join(path, 'a.jpg'));
  const { source } = await read(path);
  assert.equal([source.info.width, source.info.height, source.info.rotation], [6, 8, 0]);
});

test('a folder without images and a broken image are refused', async () => {
  const empty = await failure(folder('empty'));
  assert.is(empty.code, 'VIDEO_UNREADABLE');
  assert.match(empty.message, /holds no images/);
  const path = folder('broken');
  const png = await picture(1, 64, 64).png().toBuffer();
  await picture(1, 64, 64).toFile(join(path, 'a.png'));
  writeFileSync(join(path, 'b.png'), png.subarray(0, png.length - 40));
  const broken = await failure(path);
  assert.is(broken.code, 'VIDEO_UNREADABLE');
  assert.match(broken.message, /b\.png cannot be/);
});

test.run();
