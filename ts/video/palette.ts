import type { Frame } from 'node-av';
import type { Rational } from '../rational.js';
import type { Av } from './av.js';
import { type FilterNode, Filters } from './filters.js';
import { type FrameMaker, PackedFrames } from './from-rgb.js';
import type { VideoInfo } from './types.js';

const FAILED = 'The frames cannot be reduced to 256 colours';

/** Reduction of each frame to the 256 colours that suit it best (one of them transparent where there is alpha). */
export class FramePalette implements FrameMaker {
  readonly #packed: PackedFrames;
  readonly #filters: Filters;

  private constructor(av: Av, info: VideoInfo, filters: Filters) {
    this.#packed = new PackedFrames(av, info);
    this.#filters = filters;
  }

  /** @param timeBase one tick of the frames' times, in seconds. */
  static async create(av: Av, info: VideoInfo, timeBase: Rational): Promise<FramePalette> {
    const format = info.alpha ? 'rgba' : 'rgb24';
    const source = `video_size=${info.width}x${info.height}:pix_fmt=${format}:time_base=${timeBase.num}/${timeBase.den}`;
    const nodes: FilterNode[] = [
      { name: 'buffer', args: `${source}:colorspace=gbr:range=pc` },
      { name: 'split', args: 'outputs=2' },
      { name: 'palettegen', args: `stats_mode=single:reserve_transparent=${info.alpha ? 1 : 0}`, inputs: [[1, 0]] },
      {
        name: 'paletteuse',
        args: 'new=1:dither=sierra2_4a:alpha_threshold=128',
        inputs: [
          [1, 1],
          [2, 0],
        ],
      },
      { name: 'buffersink' },
    ];
    return new FramePalette(av, info, await Filters.create(av, nodes, FAILED));
  }

  async make(
    data: Uint8Array,
    alpha: Uint8Array | undefined,
    pts: bigint,
    emit: (frame: Frame) => Promise<void>,
  ): Promise<void> {
    // The filters may hold the frame beyond this call.
    const frame = this.#packed.allocate();
    try {
      this.#packed.fill(frame, data, alpha);
      frame.pts = pts;
      await this.#filters.push(frame, emit);
    } finally {
      frame.free();
    }
  }

  flush(emit: (frame: Frame) => Promise<void>): Promise<void> {
    return this.#filters.push(null, emit);
  }

  free(): void {
    this.#filters.free();
  }
}
