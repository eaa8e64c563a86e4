import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import sharp from 'sharp';
import { openSource } from '../../ts/video/source.js';

const FRAMES: Uint8Array[] = [];
const STRIDE = 480;
const ROWS = 270;

/** Frame i of the sample clip, over and over, as a picture of any size: side by side where the clip is smaller. */
async function picture(i: number, width: number, height: number): Promise<Buffer> {
  if (FRAMES.length === 0) {
    const source = await openSource('samples/bunny.mp4');
    for await (const { data } of source.frames()) FRAMES.push(data);
    await source.close();
  }
  const frame = FRAMES[i % FRAMES.length]!;
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      // From the middle of the clip's picture, where something moves.
      const from = (((y + 110) % ROWS) * STRIDE + ((x + 90) % STRIDE)) * 3;
      data.set(frame.subarray(from, from + 3), (y * width + x) * 3);
    }
  }
  return sharp(data, { raw: { width, height, channels: 3 } })
    .png({ compressionLevel: 1 })
    .toBuffer();
}

type Naming = (n: number) => string;
const pad = (n: number, digits: number) => String(n).padStart(digits, '0');

/** A tiny data set in every published layout, under `folder`, from the sample clip. */
export async function writeDataSets(folder: string): Promise<void> {
  const write = async (name: string, i: number, width: number, height: number) => {
    const path = join(folder, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await picture(i, width, height));
  };
  const clip = async (name: Naming, count: number, first: number, width: number, height: number) => {
    for (let n = 0; n < count; n++) await write(name(n), first + n, width, height);
  };
  await clip((n) => `vimeo/sequences/00001/0001/im${n + 1}.png`, 7, 0, 64, 48);
  await clip((n) => `vimeo/sequences/00002/0005/im${n + 1}.png`, 7, 20, 64, 48);
  await writeFile(join(folder, 'vimeo/sep_testlist.txt'), '00002/0005\n00001/0001\n');
  // Larger than their crops, by an odd number of pixels in one direction each.
  for (const [n, i] of [0, 2, 3, 4, 6].entries()) {
    await write(`ucf101/7/frame${[0, 1, 't', 2, 3][n]}.png`, i, 233, 226);
  }
  await clip((n) => `davis/bear/${pad(n, 5)}.png`, 9, 10, 24, 485);
  await clip((n) => `gopro/test/GOPR0384/${pad(n + 1, 6)}.png`, 33, 0, 519, 16);
  await clip((n) => `adobe240/IMG_0037/${pad(n + 1, 4)}.png`, 25, 30, 32, 24);
  await clip((n) => `snu/test/GOPRO_test/A/${pad(n + 1, 6)}.png`, 49, 0, 40, 32);
  for (const [level, offset, middles] of [
    ['easy', 1, [2, 9]],
    ['medium', 2, [7]],
    ['hard', 4, [12, 20]],
    ['extreme', 8, [9, 25]],
  ] as const) {
    const file = (n: number) => `data/SNU-FILM/test/GOPRO_test/A/${pad(n, 6)}.png`;
    const lines = middles.map((n) => `${file(n - offset)} ${file(n)} ${file(n + offset)}\n`);
    await writeFile(join(folder, `snu/test-${level}.txt`), lines.join(''));
  }
  // With and without frames around the gap; no sides that divide by 8.
  for (const n of [9, 10, 11, 12]) await write(`middlebury/other-data/Urban/frame${pad(n, 2)}.png`, 2 * n, 37, 29);
  for (const n of [10, 11]) await write(`middlebury/other-data/Venus/frame${n}.png`, 3 * n, 42, 30);
  await write('middlebury/other-gt-interp/Urban/frame10i11.png', 21, 37, 29);
  await write('middlebury/other-gt-interp/Venus/frame10i11.png', 31, 42, 30);
  await clip((n) => `xiph-2k/Crosswalk/${pad(n + 1, 3)}.png`, 100, 0, 64, 48);
  await clip((n) => `xiph-4k/Crosswalk/${pad(n + 1, 3)}.png`, 100, 0, 2054, 8);
  await clip((n) => `xiph-4k-full/Crosswalk-${pad(n + 1, 3)}.png`, 100, 0, 60, 34);
  await clip((n) => `x4k/test/Type1/TEST01_003_f0433/${pad(n, 4)}.png`, 33, 5, 48, 32);
}

// `node .test-build/test/evaluate/make-sets.js FOLDER` writes them for another program to measure.
if (process.argv[2] !== undefined && import.meta.url === pathToFileURL(process.argv[1]!).href) {
  await writeDataSets(process.argv[2]);
}
