import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { FlavrError } from '../errors.js';
import { type Frame, type FrameFormat, frameBytes } from '../frame.js';
import type { FedKernel, PlannedGraph } from '../model/graph-spec.js';
import type { Batch, InferredWindow, Lane, Session, SessionOptions, SessionStats, Slot, Window } from './backend.js';
import { encodeHeader, MessageReader, type Reply, type Request } from './cpu-protocol.js';
import { FramePool } from './frame-pool.js';

// Enough for the frames on their way through a pipeline of decoding, model and encoding.
const MOST_IDLE_FRAMES = 64;
// The end of what the process wrote on standard error goes into the message when it dies.
const STDERR_TAIL = 2000;

interface CpuSlot extends Slot {
  readonly number: number;
}

interface CpuLane extends Lane {
  /** A slot whose content the process makes itself. */
  take(): CpuSlot;
}

interface Answer {
  readonly header: Reply;
  readonly payload: readonly Uint8Array[];
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

export interface CpuSessionOptions {
  readonly format: FrameFormat;
  readonly threads: number;
  /** Whether graphs can be in the blocks of channels in which ONNX Runtime convolves on this processor. */
  readonly inBlocks: boolean;
  /** Plans and checks the graph of a pass factor. */
  readonly graph: (factor: number, block: number) => PlannedGraph;
  readonly memoryBytes: () => number;
}

/**
 * ONNX Runtime in a process of its own. Its `run` blocks the thread that calls it, and a thread inside it cannot be ended:
 * worker.terminate(), process.exit() and an uncaught exception all abort the whole program while a worker is in `run`.
 * A process can be ended at any time, gives all its memory back, and takes nobody along when it dies.
 */
export class CpuSession implements Session {
  readonly backend = 'cpu';
  readonly #options: CpuSessionOptions;
  readonly #frameBytes: number;
  readonly #pool: FramePool;
  readonly #child: ChildProcess;
  readonly #requests: Socket | undefined;
  readonly #pending = new Map<number, Pending>();
  readonly #prepared = new Map<number, Promise<void>>();
  /** Kernels that the process has made weights of, by name. */
  readonly #fed = new Map<string, Promise<unknown>>();
  #block: Promise<number> | undefined;
  readonly #exited: Promise<void>;
  #ids = 0;
  #slots = 0;
  #stderr = '';
  #failure: FlavrError | undefined;
  #closing = false;
  #disposed: Promise<void> | undefined;
  #counts = { windows: 0, batches: 0, hostCopiesIn: 0, hostCopiesOut: 0, inferMs: 0 };

  constructor(options: CpuSessionOptions) {
    this.#options = options;
    this.#frameBytes = frameBytes(options.format);
    this.#pool = new FramePool(this.#frameBytes, MOST_IDLE_FRAMES);
    const program = fileURLToPath(new URL('./cpu-process.js', import.meta.url));
    this.#child = spawn(process.execPath, [program], {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
      // A debugger or a hook of the program's own is none of this process; and in Electron, execPath is not Node.
      env: { ...process.env, NODE_OPTIONS: '', ELECTRON_RUN_AS_NODE: '1' },
    });
    // Where the process could not be started these may be missing; `error` says so.
    const [requests, , stderr, replies, lifeline] = this.#child.stdio as unknown as (Socket | undefined)[];
    this.#requests = requests;
    for (const pipe of [requests, replies, lifeline]) pipe?.on('error', () => {}); // `close` tells of its end.
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL);
    });
    const reader = new MessageReader<Reply>(
      (header) => Array.from({ length: header.bytes / this.#frameBytes }, () => this.#pool.take()),
      (header, payload) => this.#settle(header, payload),
    );
    replies?.on('data', (chunk: Buffer) => {
      try {
        reader.read(chunk);
      } catch (error) {
        this.#fail(`answered with what is no message (${(error as Error).message})`);
        this.#child.kill('SIGKILL');
      }
    });
    // `close` comes after `exit`, when all that the process wrote has been read.
    this.#exited = new Promise((resolve) => {
      this.#child.on('error', (cause) => {
        this.#fail(`could not be started (${cause.message})`);
        resolve();
      });
      this.#child.on('close', (code, signal) => {
        this.#fail(`ended (${signal ?? `exit code ${code}`})`);
        resolve();
      });
    });
    this.#hold();
  }

  prepare(factor: number, { onProgress }: { onProgress?: SessionOptions['onProgress'] } = {}): Promise<void> {
    let ready = this.#prepared.get(factor);
    if (!ready) {
      onProgress?.({ stage: 'load model', fraction: undefined });
      ready = this.#prepare(factor);
      this.#prepared.set(factor, ready);
      ready.catch(() => this.#prepared.delete(factor));
    }
    return ready;
  }

  async #prepare(factor: number): Promise<void> {
    const { graph, inBlocks, threads } = this.#options;
    this.#block ??= inBlocks ? this.#askBlock() : Promise.resolve(1);
    const { inputs, fed, encode } = graph(factor, await this.#block);
    // Here the graph is written while the process makes weights.
    const [bytes] = await Promise.all([encode(), this.#feed(fed)]);
    const names = fed.flatMap((kernel) => kernel.inputs);
    await this.#ask(
      { op: 'prepare', id: this.#ids++, bytes: bytes.length, factor, inputs, fed: names, threads },
      bytes,
    );
  }

  async #askBlock(): Promise<number> {
    const { header } = await this.#ask({ op: 'ask-block', id: this.#ids++, bytes: 0 });
    if (header.op !== 'block') throw unexpected(header, 'ask-block');
    return header.block;
  }

  /** Hands over the kernels that the process does not have yet. */
  async #feed(kernels: readonly FedKernel[]): Promise<void> {
    for (const { name, shape, slices, inputs, weight } of kernels) {
      let fed = this.#fed.get(name);
      if (!fed) {
        const values = weight();
        const payload = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
        const request = { op: 'feed', id: this.#ids++, bytes: payload.length, shape, slices, inputs } as const;
        fed = this.#ask(request, payload);
        this.#fed.set(name, fed);
        fed.catch(() => this.#fed.delete(name));
      }
      await fed;
    }
  }

  openLane(_capacity: number): Lane {
    const slots = new Set<CpuSlot>();
    const free = (freed: readonly CpuSlot[]) => {
      for (const slot of freed) slots.delete(slot);
      if (freed.length > 0) this.#send({ op: 'free', bytes: 0, slots: freed.map(({ number }) => number) });
    };
    const lane: CpuLane = {
      take: () => {
        const slot = { lane, number: this.#slots++ };
        slots.add(slot);
        return slot;
      },
      upload: (frame, { copy = false } = {}) => {
        const slot = lane.take();
        this.#counts.hostCopiesIn++;
        this.#send({ op: 'upload', bytes: frame.length, slot: slot.number }, copy ? frame.slice() : frame);
        return slot;
      },
      free: (slot) => free([slot as CpuSlot]),
      close: () => free([...slots]),
    };
    return lane;
  }

  async infer({ factor, windows }: Batch): Promise<readonly InferredWindow[]> {
    const kept = windows.map(({ keepIn }) => (keepIn ? this.#takeSlots(keepIn as CpuLane, factor - 1) : []));
    const request: Request = {
      op: 'infer',
      id: this.#ids++,
      bytes: 0,
      factor,
      windows: windows.map(({ slots }, i) => ({ slots: numbers(slots), keep: numbers(kept[i]!) })),
    };
    const { header, payload } = await this.#ask(request);
    if (header.op !== 'done') throw unexpected(header, 'infer');
    this.#counts.windows += windows.length;
    this.#counts.batches++;
    this.#counts.inferMs += header.ms;
    this.#counts.hostCopiesOut += payload.length;
    if (header.peaks.includes(null)) {
      for (const frame of payload) this.release(frame);
      for (const slot of kept.flat()) slot.lane.free(slot);
      throw new FlavrError(
        'NUMERIC_FAILURE',
        'The model gave a value that is not finite. Check the checkpoint, or use another precision.',
      );
    }
    return windows.map((_window: Window, i) => ({
      frames: payload.slice(i * (factor - 1), (i + 1) * (factor - 1)),
      slots: kept[i]!,
    }));
  }

  #takeSlots(lane: CpuLane, count: number): CpuSlot[] {
    return Array.from({ length: count }, () => lane.take());
  }

  allocFrame(): Frame {
    return this.#pool.take();
  }

  release(frame: Frame): void {
    this.#pool.release(frame);
  }

  stats(): SessionStats {
    return {
      ...this.#counts,
      gathers: 0,
      framesPooled: this.#pool.idle,
      framesLent: this.#pool.lent,
      memoryBytes: this.#options.memoryBytes(),
    };
  }

  dispose(): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  /** Drops what runs: its results could reach nobody. */
  async #dispose(): Promise<void> {
    this.#closing = true;
    this.#hold();
    this.#child.kill('SIGKILL');
    await this.#exited;
    this.#pool.clear();
  }

  #ask(request: Exclude<Request, { op: 'upload' | 'free' }>, payload?: Uint8Array): Promise<Answer> {
    const failure = this.#closing ? new FlavrError('DISPOSED', 'The session was disposed of.') : this.#failure;
    if (failure) return Promise.reject(failure);
    return new Promise((resolve, reject) => {
      this.#pending.set(request.id, { resolve, reject });
      this.#hold();
      this.#send(request, payload);
    });
  }

  #send(request: Request, payload?: Uint8Array): void {
    if (!this.#requests?.writable) return;
    this.#requests.write(encodeHeader(request));
    if (payload) this.#requests.write(payload);
  }

  #settle(header: Reply, payload: readonly Uint8Array[]): void {
    const pending = this.#pending.get(header.id);
    this.#pending.delete(header.id);
    this.#hold();
    if (header.op === 'failed') {
      pending?.reject(new FlavrError('INFERENCE_FAILED', `ONNX Runtime failed: ${header.message}`));
    } else pending?.resolve({ header, payload });
  }

  #fail(what: string): void {
    if (!this.#closing) {
      const said = this.#stderr.trim();
      const message = `The process that runs ONNX Runtime ${what}; open a new session.${said ? ` It said: ${said}` : ''}`;
      this.#failure ??= new FlavrError('INFERENCE_FAILED', message);
    }
    const failure = this.#failure ?? new FlavrError('DISPOSED', 'The session was disposed of.');
    for (const { reject } of this.#pending.values()) reject(failure);
    this.#pending.clear();
  }

  /** An open session keeps the program running only while an answer is awaited. */
  #hold(): void {
    const handles = [this.#child, ...(this.#child.stdio as unknown as (Socket | null)[])];
    const busy = this.#pending.size > 0 || this.#closing;
    for (const handle of handles) {
      if (busy) handle?.ref();
      else handle?.unref();
    }
  }
}

const unexpected = ({ op }: Reply, to: Request['op']): Error =>
  new Error(`The CPU session's process answered ${op} to ${to}.`);

const numbers = (slots: readonly Slot[]): number[] => slots.map((slot) => (slot as CpuSlot).number);
