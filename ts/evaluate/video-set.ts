import { basename } from 'node:path';
import { FlavrError, throwIfAborted } from '../errors.js';
import { CutDetector } from '../video/cuts.js';
import { openSource } from '../video/source.js';
import type { DataSet, LazySample, OpenedOptions } from './data-set.js';
import type { BytePicture } from './prepare.js';
import type { Measurement } from './protocol.js';

const VIDEO: Measurement = {
  name: 'video',
  title: 'Video with every k-th frame kept',
  preparation: { kind: 'none' },
  psnr: 'flavr',
  ssim: 'matlab3d',
  source: 'every k-th frame kept, the others are the truth of the gaps; gaps with a cut in them are left out',
};

/** Any video, or folder of images, of which every k-th frame is kept and the others are to be found again. */
export async function openVideoSet(path: string, options: OpenedOptions): Promise<DataSet> {
  const { inputs, factor, limit = Number.POSITIVE_INFINITY, signal } = options;
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
    warnings: source.warnings,
    async *samples() {
      const opened = await openSource(path, { signal });
      try {
        const cuts = new CutDetector(width, height);
        const isCut = ({ data }: BytePicture) => cuts.next(data).cut;
        const pictures = new ReadablePart(toPictures(opened.frames(), width, height));
        let taken = 0;
        for await (const sample of decimate(pictures, { sequence, inputs, factor, isCut })) {
          if (taken++ >= limit) return;
          yield sample;
        }
        throwIfAborted(signal);
        const { count, failure } = pictures;
        if (failure)
          yield { id: `${sequence}/from ${count} on`, sequence, repeated: 0, load: () => Promise.reject(failure) };
      } finally {
        await opened.close();
      }
    },
  };
}

/** Frames up to the first that cannot be read: what came before is worth its figures. Where none can be, it throws. */
class ReadablePart implements AsyncIterable<BytePicture> {
  readonly #frames: AsyncIterable<BytePicture>;
  count = 0;
  failure: unknown;

  constructor(frames: AsyncIterable<BytePicture>) {
    this.#frames = frames;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<BytePicture, void, undefined> {
    try {
      for await (const frame of this.#frames) {
        this.count++;
        yield frame;
      }
    } catch (error) {
      if (this.count === 0) throw error;
      this.failure = error;
    }
  }
}

async function* toPictures(frames: AsyncIterable<{ data: Uint8Array }>, width: number, height: number) {
  for await (const { data } of frames) yield { data, width, height };
}

export interface Decimation {
  readonly sequence: string;
  /** 2C. */
  readonly inputs: number;
  /** k: every k-th frame is kept. */
  readonly factor: number;
  /** Whether a frame begins a new shot; asked of the frames in order. */
  readonly isCut: (picture: BytePicture) => boolean;
}

/**
 * The gaps between kept frames as samples, as the frames come. Holds no frame that no later gap needs: about C * (k+1).
 * A gap with a cut in it is left out. Windows past an end of a shot repeat its last kept frame there.
 */
export async function* decimate(
  frames: AsyncIterable<BytePicture>,
  { sequence, inputs, factor, isCut }: Decimation,
): AsyncGenerator<LazySample, void, undefined> {
  const half = inputs / 2;
  const held = new Map<number, BytePicture>();
  /** The first frames of shots. */
  const cuts: number[] = [];
  let count = 0;
  let gap = 0;

  const sampleAt = (): LazySample | undefined => {
    const before = gap * factor;
    const shotStart = cuts.findLast((cut) => cut <= before) ?? 0;
    const shotEnd = cuts.find((cut) => cut > before) ?? count;
    if (shotEnd <= before + factor) return undefined;
    const [firstKept, lastKept] = [Math.ceil(shotStart / factor), Math.floor((shotEnd - 1) / factor)];
    const wanted = Array.from({ length: inputs }, (_, i) => gap - half + 1 + i);
    const kept = wanted.map((index) => Math.min(lastKept, Math.max(firstKept, index)));
    const at = (index: number) => held.get(index)!;
    const window = kept.map((index) => at(index * factor));
    const truth = Array.from({ length: factor - 1 }, (_, j) => at(before + j + 1));
    return {
      id: `${sequence}/${before}`,
      sequence,
      repeated: kept.filter((index, i) => index !== wanted[i]).length,
      load: () => Promise.resolve({ window, truth }),
    };
  };
  const nextGap = () => {
    for (let j = 1; j < factor; j++) held.delete(gap * factor + j);
    gap++;
    held.delete((gap - half) * factor);
  };

  const ready = function* (reach: number) {
    for (; (gap + reach) * factor < count; nextGap()) {
      const sample = sampleAt();
      if (sample) yield sample;
    }
  };
  for await (const picture of frames) {
    if (isCut(picture)) cuts.push(count);
    held.set(count++, picture);
    yield* ready(half);
  }
  yield* ready(1);
}
