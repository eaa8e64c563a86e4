import { Socket } from 'node:net';
import { Worker } from 'node:worker_threads';
import { CpuGraph } from './cpu-graph.js';
import { cpuSessionOptions } from './cpu-options.js';
import { encodeHeader, MessageReader, REPLIES, type Reply, type Request } from './cpu-protocol.js';
import { type Feeds, fedWeights } from './fed-weights.js';
import type { Ort } from './find-block.js';

/** Makes this process run graphs for the one that started it, which speaks to it as cpu-protocol.ts says. */
export async function serve(load: () => Promise<Ort>): Promise<void> {
  // Signals to a process group are for the other process to act on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  new Worker(new URL('./cpu-lifeline.js', import.meta.url)).unref();
  new CpuHost(await load());
}

type Asked<Op extends Request['op']> = Extract<Request, { readonly op: Op }>;

class CpuHost {
  readonly #ort: Ort;
  readonly #replies = new Socket({ fd: REPLIES });
  readonly #graphs = new Map<number, CpuGraph>();
  readonly #slots = new Map<number, Uint8Array>();
  /** Once it is found out. */
  #block = 1;
  #weights: Feeds = {};
  /** Memory of freed slots. */
  readonly #spare: Uint8Array[] = [];
  /** One request after another, in the order they came. */
  #work: Promise<void> = Promise.resolve();

  constructor(ort: Ort) {
    this.#ort = ort;
    const reader = new MessageReader<Request>(
      (request) => (request.bytes > 0 ? [this.#memory(request)] : []),
      (request, [payload]) => {
        this.#work = this.#work.then(() => this.#handle(request, payload));
      },
    );
    process.stdin.on('data', (chunk: Buffer) => reader.read(chunk));
  }

  #memory(request: Request): Uint8Array {
    const spare = request.op === 'upload' ? this.#spare.pop() : undefined;
    return spare?.length === request.bytes ? spare : new Uint8Array(request.bytes);
  }

  async #handle(request: Request, payload: Uint8Array | undefined): Promise<void> {
    if (request.op === 'upload') this.#slots.set(request.slot, payload!);
    else if (request.op === 'free') for (const slot of request.slots) this.#free(slot);
    else {
      try {
        if (request.op === 'ask-block') await this.#askBlock(request);
        else if (request.op === 'feed') await this.#feed(request, payload!);
        else if (request.op === 'prepare') await this.#prepare(request, payload!);
        else if (request.op === 'infer') await this.#infer(request);
        else await this.#run(request);
      } catch (error) {
        const message = String((error as Error).message ?? error);
        await this.#reply({ op: 'failed', id: request.id, bytes: 0, message });
      }
    }
  }

  #free(slot: number): void {
    const memory = this.#slots.get(slot);
    if (memory && this.#slots.delete(slot)) this.#spare.push(memory);
  }

  async #askBlock({ id }: Asked<'ask-block'>): Promise<void> {
    // What writes graphs is loaded only where one has to be tried out.
    const { findBlock } = await import('./find-block.js');
    this.#block = await findBlock(this.#ort);
    await this.#reply({ op: 'block', id, bytes: 0, block: this.#block });
  }

  async #feed({ id, ...kernel }: Asked<'feed'>, { buffer }: Uint8Array): Promise<void> {
    const made = fedWeights(this.#ort, kernel, new Float32Array(buffer), this.#block);
    this.#weights = { ...this.#weights, ...made };
    await this.#reply({ op: 'ready', id, bytes: 0 });
  }

  async #prepare({ id, graph, inputs, fed, threads }: Asked<'prepare'>, bytes: Uint8Array): Promise<void> {
    const session = await this.#ort.InferenceSession.create(bytes, cpuSessionOptions(threads));
    const weights = Object.fromEntries(fed.map((name) => [name, this.#weights[name]!]));
    this.#graphs.set(graph, new CpuGraph(this.#ort, session, inputs, weights));
    await this.#reply({ op: 'ready', id, bytes: 0 });
  }

  async #infer({ id, graph, windows }: Asked<'infer'>): Promise<void> {
    const results: Uint8Array[] = [];
    const peaks: number[] = [];
    const started = performance.now();
    for (const [index, { slots, keep }] of windows.entries()) {
      const { frames, peak } = await this.#graphs.get(graph)!.infer(this.#framesOf(slots));
      peaks.push(peak);
      const frameBytes = frames.length / keep.length;
      for (const [i, slot] of keep.entries()) {
        this.#slots.set(slot, frames.slice(i * frameBytes, (i + 1) * frameBytes));
      }
      // The last window's outputs are written to the pipe from where they are.
      results.push(index + 1 < windows.length ? frames.slice() : frames);
    }
    const ms = performance.now() - started;
    await this.#reply({ op: 'done', id, bytes: byteLength(results), peaks, ms }, results);
  }

  async #run({ id, graph, slots }: Asked<'run'>): Promise<void> {
    const results = Object.entries(await this.#graphs.get(graph)!.run(this.#framesOf(slots)));
    const outputs = results.map(([name, { dims }]) => ({ name, dims }));
    const values = results.map(([, tensor]) => {
      const { buffer, byteOffset, byteLength } = tensor.data as Float32Array;
      return new Uint8Array(buffer, byteOffset, byteLength);
    });
    await this.#reply({ op: 'outputs', id, bytes: byteLength(values), outputs }, values);
  }

  #framesOf(slots: readonly number[]): Uint8Array[] {
    return slots.map((slot) => this.#slots.get(slot)!);
  }

  /** Waits until all is written: during the next run nothing could be. */
  #reply(reply: Reply, payload: readonly Uint8Array[] = []): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#replies.cork();
      const parts = [encodeHeader(reply), ...payload];
      for (const [i, part] of parts.entries()) {
        this.#replies.write(part, i + 1 < parts.length ? undefined : (error) => (error ? reject(error) : resolve()));
      }
      this.#replies.uncork();
    });
  }
}

const byteLength = (parts: readonly Uint8Array[]): number => parts.reduce((sum, { length }) => sum + length, 0);
