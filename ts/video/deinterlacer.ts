import type { Frame as AvFrame, FilterContext, FilterGraph } from 'node-av';
import type { Rational } from '../rational.js';
import { type Av, checkAv, fromAvRational } from './av.js';

const FAILED = 'The video cannot be deinterlaced';

/** FFmpeg's bwdif, one frame out for each frame in. */
export class Deinterlacer {
  readonly #av: Av;
  readonly #graph: FilterGraph;
  readonly #source: FilterContext;
  readonly #sink: FilterContext;

  private constructor(av: Av, graph: FilterGraph, source: FilterContext, sink: FilterContext) {
    this.#av = av;
    this.#graph = graph;
    this.#source = source;
    this.#sink = sink;
  }

  /** @param first a frame of the video, for its size and format. */
  static async create(av: Av, first: AvFrame, timeBase: { num: number; den: number }): Promise<Deinterlacer> {
    const graph = new av.FilterGraph();
    graph.alloc();
    try {
      const filter = (name: string, args: string) => {
        const context = graph.createFilter(av.Filter.getByName(name)!, name, args);
        if (!context) throw checkAv(av, av.AVERROR_ENOMEM, 'VIDEO_UNSUPPORTED', FAILED);
        return context;
      };
      const { width, height, format, colorSpace, colorRange } = first;
      const size = `video_size=${width}x${height}:pix_fmt=${format}:time_base=${timeBase.num}/${timeBase.den}`;
      const source = filter('buffer', `${size}:colorspace=${colorSpace}:range=${colorRange}`);
      const bwdif = filter('bwdif', 'mode=send_frame:parity=auto:deint=all');
      const sink = filter('buffersink', '');
      checkAv(av, source.link(0, bwdif, 0), 'VIDEO_UNSUPPORTED', FAILED);
      checkAv(av, bwdif.link(0, sink, 0), 'VIDEO_UNSUPPORTED', FAILED);
      checkAv(av, await graph.config(), 'VIDEO_UNSUPPORTED', FAILED);
      return new Deinterlacer(av, graph, source, sink);
    } catch (error) {
      graph.free();
      throw error;
    }
  }

  /** The unit of the timestamps that come out. */
  get timeBase(): Rational | undefined {
    return fromAvRational(this.#sink.buffersinkGetTimeBase());
  }

  /** Takes a frame, or null at the end. */
  async push(frame: AvFrame | null): Promise<void> {
    checkAv(this.#av, await this.#source.buffersrcAddFrame(frame), 'VIDEO_UNSUPPORTED', FAILED);
  }

  /** FFmpeg's result: a frame was filled in, or EAGAIN (more must be pushed), or EOF. */
  pull(frame: AvFrame): Promise<number> {
    return this.#sink.buffersinkGetFrame(frame);
  }

  free(): void {
    this.#graph.free();
  }
}
