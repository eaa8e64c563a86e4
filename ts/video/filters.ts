import type { FilterContext, FilterGraph, Frame } from 'node-av';
import { type Rational, rational } from '../rational.js';
import { type Av, avError, checkAv } from './av.js';

/** One FFmpeg filter of a graph. */
export interface FilterNode {
  readonly name: string;
  readonly args?: string;
  /** Where each input comes from; default: one input, from the node before. */
  readonly inputs?: readonly (readonly [node: number, pad: number])[];
}

/** FFmpeg filters between one source and one sink: the first and the last of the nodes. */
export class Filters {
  readonly #av: Av;
  readonly #graph: FilterGraph;
  readonly #source: FilterContext;
  readonly #sink: FilterContext;
  readonly #what: string;

  private constructor(av: Av, graph: FilterGraph, source: FilterContext, sink: FilterContext, what: string) {
    this.#av = av;
    this.#graph = graph;
    this.#source = source;
    this.#sink = sink;
    this.#what = what;
  }

  /** @param what a sentence's beginning for errors, for example "The sound cannot be converted". */
  static async create(av: Av, nodes: readonly FilterNode[], what: string): Promise<Filters> {
    const graph = new av.FilterGraph();
    graph.alloc();
    try {
      const contexts = nodes.map(({ name, args = '' }, index) => {
        const filter = av.Filter.getByName(name);
        const context = filter && graph.createFilter(filter, `${name}${index}`, args);
        if (!context) throw avError(av, av.AVERROR_EINVAL, 'VIDEO_UNSUPPORTED', `${what} (${name}=${args})`);
        return context;
      });
      for (const [to, { inputs = [[to - 1, 0] as const] }] of nodes.entries()) {
        if (to === 0) continue;
        for (const [pad, [from, output]] of inputs.entries()) {
          checkAv(av, contexts[from]!.link(output, contexts[to]!, pad), 'VIDEO_UNSUPPORTED', what);
        }
      }
      checkAv(av, await graph.config(), 'VIDEO_UNSUPPORTED', what);
      return new Filters(av, graph, contexts[0]!, contexts.at(-1)!, what);
    } catch (error) {
      graph.free();
      throw error;
    }
  }

  /** One tick of the times of what comes out, in seconds. */
  get step(): Rational {
    const { num, den } = this.#sink.buffersinkGetTimeBase();
    return rational(num, den);
  }

  /** Takes a frame, or null at the end; hands on every frame that then comes out, to be used before it resolves. */
  async push(frame: Frame | null, emit: (frame: Frame) => Promise<void>): Promise<void> {
    const av = this.#av;
    checkAv(av, await this.#source.buffersrcAddFrame(frame), 'VIDEO_UNSUPPORTED', this.#what);
    const out = new av.Frame();
    out.alloc();
    try {
      for (;;) {
        const result = await this.#sink.buffersinkGetFrame(out);
        if (result === av.AVERROR_EAGAIN || result === av.AVERROR_EOF) return;
        checkAv(av, result, 'VIDEO_UNSUPPORTED', this.#what);
        await emit(out);
        out.unref();
      }
    } finally {
      out.free();
    }
  }

  free(): void {
    this.#graph.free();
  }
}
