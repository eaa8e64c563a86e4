import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { asFlavrError, FlavrError } from '../errors.js';
import type { FedKernel, PlannedGraph } from '../model/graph-spec.js';
import { encodeHeader, MessageReader, type Reply, type Request } from './cpu-protocol.js';

const PROGRAM = new URL('./cpu-main.js', import.meta.url);
// The end of what the process wrote on standard error goes into the message when it dies.
const STDERR_TAIL = 2000;

export interface Answer<Op extends Reply['op'] = Reply['op']> {
  readonly header: Extract<Reply, { op: Op }>;
  readonly payload: readonly Uint8Array[];
}

interface Pending {
  readonly resolve: (answer: Answer) => void;
  readonly reject: (error: Error) => void;
}

/** A request that is answered, without its number. */
type Question = Request extends infer Each ? (Each extends { id: number } ? Omit<Each, 'id'> : never) : never;

export interface GraphOptions {
  /** Whether it can be in the blocks of channels in which ONNX Runtime convolves on this processor. */
  readonly inBlocks: boolean;
  readonly threads: number;
}

/**
 * ONNX Runtime in a process of its own. Its `run` blocks the thread that calls it, and a thread inside it cannot be ended:
 * worker.terminate(), process.exit() and an uncaught exception all abort the whole program while a worker is in `run`.
 * A process can be ended at any time, gives all its memory back, and takes nobody along when it dies.
 *
 * It keeps the program running only while an answer is awaited.
 */
export class CpuProcess {
  readonly #child: ChildProcess;
  readonly #requests: Socket | null | undefined;
  readonly #pending = new Map<number, Pending>();
  /** Kernels that it has made weights of, by name. */
  readonly #fed = new Map<string, Promise<unknown>>();
  readonly #exited: Promise<void>;
  #block: Promise<number> | undefined;
  #ids = 0;
  #stderr = '';
  #failure: FlavrError | undefined;
  #closing = false;

  /**
   * @param place gives the memory for a reply's payload: pieces that hold `header.bytes` bytes in all.
   * @param program is what it runs.
   */
  constructor(place: (header: Reply) => readonly Uint8Array[], program: URL = PROGRAM) {
    this.#child = start(program);
    const [requests, , stderr, replies, lifeline] = pipesOf(this.#child);
    this.#requests = requests;
    for (const pipe of [requests, replies, lifeline]) pipe?.on('error', () => {}); // `close` tells of its end.
    stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL);
    });
    const reader = new MessageReader<Reply>(place, (header, payload) => this.#settle(header, payload));
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
        const killed = 'SIGKILL, which the system sends where memory runs out';
        this.#fail(`ended (${signal === 'SIGKILL' ? killed : (signal ?? `exit code ${code}`)})`);
        resolve();
      });
    });
    this.#hold();
  }

  /**
   * Makes a graph ready to run.
   * @param graph what it is called in later requests.
   * @param plan is told how many channels ONNX Runtime has side by side; what it throws, this throws.
   * @throws FlavrError `INFERENCE_FAILED` if ONNX Runtime does not take it; `DISPOSED`.
   */
  async open(
    graph: number,
    plan: (block: number) => Pick<PlannedGraph, 'inputs' | 'fed' | 'encode'>,
    { inBlocks, threads }: GraphOptions,
  ): Promise<void> {
    if (inBlocks) this.#block ??= this.ask('block', { op: 'ask-block', bytes: 0 }).then(({ header }) => header.block);
    const { inputs, fed, encode } = plan((await this.#block) ?? 1);
    // Here the graph is written while the process makes weights.
    const [bytes] = await Promise.all([encode(), this.#feed(fed)]);
    const names = fed.map(({ input }) => input);
    await this.ask('ready', { op: 'prepare', bytes: bytes.length, graph, inputs, fed: names, threads }, bytes);
  }

  /** Hands over the kernels that the process does not have yet. */
  async #feed(kernels: readonly FedKernel[]): Promise<void> {
    for (const { name, shape, slices, input, weight } of kernels) {
      let fed = this.#fed.get(name);
      if (!fed) {
        const values = weight();
        const payload = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
        fed = this.ask('ready', { op: 'feed', bytes: payload.length, shape, slices, input }, payload);
        this.#fed.set(name, fed);
        fed.catch(() => this.#fed.delete(name));
      }
      await fed;
    }
  }

  /**
   * @param answer what the request is answered by.
   * @throws FlavrError `INFERENCE_FAILED` where the answer is `failed`, or no answer can come any more; `DISPOSED`.
   */
  ask<Op extends Reply['op']>(answer: Op, question: Question, payload?: Uint8Array): Promise<Answer<Op>> {
    const failure = this.#closing ? disposed() : this.#failure;
    if (failure) return Promise.reject(failure);
    const request = { ...question, id: this.#ids++ } as Request & { id: number };
    return new Promise((resolve, reject) => {
      const settle = ({ header, payload }: Answer) => {
        if (header.op === answer) resolve({ header, payload } as Answer<Op>);
        else reject(new Error(`ONNX Runtime's process answered ${header.op} to ${request.op}.`));
      };
      this.#pending.set(request.id, { resolve: settle, reject });
      this.#hold();
      this.send(request, payload);
    });
  }

  send(request: Request, payload?: Uint8Array): void {
    if (!this.#requests?.writable) return;
    this.#requests.write(encodeHeader(request));
    if (payload) this.#requests.write(payload);
  }

  /** Ends the process and drops what it runs: whoever waits for an answer gets `DISPOSED`. */
  async close(): Promise<void> {
    this.#closing = true;
    this.#hold();
    this.#child.kill('SIGKILL');
    await this.#exited;
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
      const message = `The process that runs ONNX Runtime ${what}. Open the model again.${said ? ` It said: ${said}` : ''}`;
      this.#failure ??= new FlavrError('INFERENCE_FAILED', message);
    }
    const failure = this.#failure ?? disposed();
    for (const { reject } of this.#pending.values()) reject(failure);
    this.#pending.clear();
  }

  #hold(): void {
    const handles = [this.#child, ...pipesOf(this.#child)];
    const busy = this.#pending.size > 0 || this.#closing;
    for (const handle of handles) {
      if (busy) handle?.ref();
      else handle?.unref();
    }
  }
}

function start(program: URL): ChildProcess {
  try {
    return spawn(process.execPath, [fileURLToPath(program)], {
      stdio: ['pipe', 'ignore', 'pipe', 'pipe', 'pipe'],
      windowsHide: true,
      env: {
        ...process.env,
        NODE_OPTIONS: resolverOf(process.env.NODE_OPTIONS),
        // In Electron, execPath is not Node.
        ELECTRON_RUN_AS_NODE: '1',
        // From 1.29 on, ONNX Runtime's builds for Linux keep a record of sessions in the user's cache and send it to their maker.
        ORT_DISABLE_TELEMETRY: '1',
      },
    });
  } catch (cause) {
    // Some reasons are thrown: no memory, no permission. Of the others `error` tells.
    throw asFlavrError(cause, 'INFERENCE_FAILED', 'The process that runs ONNX Runtime could not be started');
  }
}

const PLUG_N_PLAY =
  /--(?:require|import|experimental-loader)[ =](?:"[^"]*\.pnp\.(?:c?js|loader\.mjs)"|\S*\.pnp\.(?:c?js|loader\.mjs))(?!\S)/g;

/**
 * Of NODE_OPTIONS, Yarn's Plug'n'Play, without which no module of such a project can be read. The rest, such as a debugger or
 * a hook of the program's own, is none of this process.
 */
const resolverOf = (options = ''): string => (options.match(PLUG_N_PLAY) ?? []).join(' ');

/** By file descriptor. None where no more files can be open, of which `error` tells too. */
const pipesOf = (child: ChildProcess): (Socket | null | undefined)[] =>
  (child.stdio as unknown as (Socket | null)[] | undefined) ?? [];

const disposed = (): FlavrError => new FlavrError('DISPOSED', 'The session was disposed of.');
