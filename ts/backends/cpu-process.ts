// The process that runs ONNX Runtime for a CPU session: started by cpu-session.ts, spoken to as cpu-protocol.ts says.
// Requests come on standard input, replies go to descriptor 3, descriptor 4 closes when the session's process is gone.
import { Socket } from 'node:net';
import { isMainThread, Worker } from 'node:worker_threads';
import type { InferenceSession, Tensor } from 'onnxruntime-node';
import { cpuSessionOptions } from './cpu-options.js';
import { encodeHeader, MessageReader, type Reply, type Request } from './cpu-protocol.js';
import { type Feeds, fedWeights } from './fed-weights.js';
import type { Ort } from './find-block.js';

const REPLIES = 3;
const LIFELINE = 4;

/** A graph ready to run, with the memory its outputs are written to. */
interface Runner {
  readonly session: InferenceSession;
  readonly inputs: readonly string[];
  readonly shape: readonly number[];
  readonly weights: Feeds;
  readonly frames: Uint8Array<ArrayBuffer>;
  readonly peak: Float32Array;
  readonly outputs: Record<string, Tensor>;
}

class Host {
  readonly #ort: Ort;
  readonly #replies = new Socket({ fd: REPLIES });
  readonly #runners = new Map<number, Runner>();
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
        else await this.#infer(request);
      } catch (error) {
        await this.#reply({
          op: 'failed',
          id: request.id,
          bytes: 0,
          message: String((error as Error).message ?? error),
        });
      }
    }
  }

  #free(slot: number): void {
    const memory = this.#slots.get(slot);
    if (memory && this.#slots.delete(slot)) this.#spare.push(memory);
  }

  async #askBlock({ id }: Request & { op: 'ask-block' }): Promise<void> {
    // What writes graphs is loaded only where one has to be tried out.
    const { findBlock } = await import('./find-block.js');
    this.#block = await findBlock(this.#ort);
    await this.#reply({ op: 'block', id, bytes: 0, block: this.#block });
  }

  async #feed({ id, ...kernel }: Request & { op: 'feed' }, { buffer }: Uint8Array): Promise<void> {
    const made = fedWeights(this.#ort, kernel, new Float32Array(buffer), this.#block);
    this.#weights = { ...this.#weights, ...made };
    await this.#reply({ op: 'ready', id, bytes: 0 });
  }

  async #prepare({ id, factor, inputs, fed, threads }: Request & { op: 'prepare' }, graph: Uint8Array): Promise<void> {
    const session = await this.#ort.InferenceSession.create(graph, cpuSessionOptions(threads));
    const shapeOf = (metadata: readonly InferenceSession.ValueMetadata[], name: string): readonly number[] => {
      const value = metadata.find((m) => m.name === name);
      if (!value?.isTensor) throw new Error(`the graph has no tensor ${name}`);
      return value.shape as number[];
    };
    const outputShape = shapeOf(session.outputMetadata, 'interpolated');
    const frames = new Uint8Array(outputShape.reduce((a, b) => a * b));
    const peak = new Float32Array(1);
    this.#runners.set(factor, {
      session,
      inputs,
      shape: shapeOf(session.inputMetadata, inputs[0]!),
      weights: Object.fromEntries(fed.map((name) => [name, this.#weights[name]!])),
      frames,
      peak,
      outputs: {
        interpolated: new this.#ort.Tensor('uint8', frames, outputShape),
        peak: new this.#ort.Tensor('float32', peak, [1]),
      },
    });
    await this.#reply({ op: 'ready', id, bytes: 0 });
  }

  async #infer({ id, factor, windows }: Request & { op: 'infer' }): Promise<void> {
    const runner = this.#runners.get(factor)!;
    const results: Uint8Array[] = [];
    const peaks: number[] = [];
    const started = performance.now();
    for (const [index, { slots, keep }] of windows.entries()) {
      const feeds: Record<string, Tensor> = { ...runner.weights };
      for (const [i, name] of runner.inputs.entries()) {
        feeds[name] = new this.#ort.Tensor('uint8', this.#slots.get(slots[i]!)!, runner.shape);
      }
      await runner.session.run(feeds, runner.outputs);
      peaks.push(runner.peak[0]!);
      const frameBytes = runner.frames.length / (factor - 1);
      for (const [i, slot] of keep.entries()) {
        this.#slots.set(slot, runner.frames.slice(i * frameBytes, (i + 1) * frameBytes));
      }
      // The last window's outputs are written to the pipe from where they are.
      results.push(index + 1 < windows.length ? runner.frames.slice() : runner.frames);
    }
    const ms = performance.now() - started;
    const bytes = results.reduce((sum, frames) => sum + frames.length, 0);
    await this.#reply({ op: 'done', id, bytes, peaks, ms }, results);
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

if (isMainThread) {
  // Signals to a process group are for the session's process to act on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
  // A run blocks this thread: another one has to notice that nobody is left to run for.
  new Worker(new URL(import.meta.url)).unref();
  const ort = await import('onnxruntime-node');
  new Host('default' in ort ? (ort.default as Ort) : ort);
} else {
  new Socket({ fd: LIFELINE }).resume().on('close', () => process.kill(process.pid, 'SIGKILL'));
}
