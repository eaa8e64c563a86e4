import { basename } from 'node:path';
import { FlavrError } from '../errors.js';
import { openSource } from '../video/source.js';
import type { DataSet, DataSetOptions, LazySample } from './data-set.js';
import type { BytePicture } from './prepare.js';
import type { Measurement } from './protocol.js';

const VIDEO: Measurement = {
  name: 'video',
  title: 'Video with every k-th frame kept',
  preparation: { kind: 'none' },
  psnr: 'flavr',
  ssim: 'matlab3d',
  source: 'every k-th frame kept, the others are the truth of the gaps; every gap is measured, cuts included',
};

/** Any video, or folder of images, of which every k-th frame is kept and the others are to be found again. */
export async function openVideoSet(path: string, options: DataSetOptions): Promise<DataSet> {
  const { inputs, factor = 2, limit = Number.POSITIVE_INFINITY, signal } = options;
  if (!Number.isInteger(factor) || factor < 2) {
    throw new FlavrError('BAD_ARGUMENT', `To decimate a video, k must be a whole number from 2; got ${factor}.`);
  }
  const source = await openSource(path, { signal });
  await source.close();
  const { frameCount, width, height } = source.info;
  const gaps = frameCount && Math.floor((frameCount - 1) / factor);
  const sequence = basename(path);
  return {
    measurement: VIDEO,
    factor,
    inputs,
    count: gaps && Math.min(gaps, limit),
    async *samples() {
      const opened = await openSource(path, { signal });
      try {
        const pictures = toPictures(opened.frames(), width, height);
        let taken = 0;
        for await (const sample of decimate(pictures, { sequence, inputs, factor })) {
          if (taken++ >= limit) return;
          yield sample;
        }
      } finally {
        await opened.close();
      }
    },
  };
}

async function* toPictures(frames: AsyncIterable<{ data: Uint8Array }>, width: number, height: number) {
  for await (const { data } of frames) yield { data, width, height };
}

/**
 * The gaps between kept frames as samples, as the frames come. Holds no frame that no later gap needs: about C * (k+1).
 * Windows past an end of the video repeat its last kept frame there.
 */
export async function* decimate(
  frames: AsyncIterable<BytePicture>,
  { sequence, inputs, factor }: { sequence: string; inputs: number; factor: number },
): AsyncGenerator<LazySample, void, undefined> {
  const half = inputs / 2;
  const held = new Map<number, BytePicture>();
  let count = 0;
  let gap = 0;

  const nextSample = (): LazySample => {
    const lastKept = Math.floor((count - 1) / factor);
    const wanted = Array.from({ length: inputs }, (_, i) => gap - half + 1 + i);
    const kept = wanted.map((index) => Math.min(lastKept, Math.max(0, index)));
    const targets = Array.from({ length: factor - 1 }, (_, j) => gap * factor + j + 1);
    const at = (index: number) => held.get(index)!;
    const sampleFrames = { window: kept.map((index) => at(index * factor)), truth: targets.map(at) };
    const sample = {
      id: `${sequence}/${gap * factor}`,
      sequence,
      repeated: kept.filter((index, i) => index !== wanted[i]).length,
      load: () => Promise.resolve(sampleFrames),
    };
    gap++;
    for (const index of targets) held.delete(index);
    held.delete((gap - half) * factor);
    return sample;
  };

  for await (const picture of frames) {
    held.set(count++, picture);
    while ((gap + half) * factor < count) yield nextSample();
  }
  while ((gap + 1) * factor < count) yield nextSample();
}
