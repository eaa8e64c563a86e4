import { type ChildProcess, fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { FlavrError } from '../errors.js';

/** To the process. Each order is answered once, in order. */
export type Order =
  | { readonly op: 'open'; readonly graph: Uint8Array; readonly threads: number }
  | { readonly op: 'run'; readonly frames: readonly Uint8Array[] };

export type Answer = { readonly outputs: Readonly<Record<string, FloatTensor>> } | { readonly failure: string };

export interface FloatTensor {
  readonly data: Float32Array;
  readonly dims: readonly number[];
}

interface Waiting {
  readonly resolve: (outputs: Readonly<Record<string, FloatTensor>>) => void;
  readonly reject: (error: FlavrError) => void;
}

// The end of what the process wrote on standard error goes into the message when it dies.
const STDERR_TAIL = 2000;

/** A graph of bytes in and floats out (the `unrounded` form, with or without taps) in a process of its own. */
export class GraphRunner {
  readonly #child: ChildProcess;
  readonly #waiting: Waiting[] = [];
  #failure: FlavrError | undefined;
  #stderr = '';

  private constructor() {
    const program = fileURLToPath(new URL('./graph-process.js', import.meta.url));
    this.#child = fork(program, {
      serialization: 'advanced',
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, NODE_OPTIONS: '', ELECTRON_RUN_AS_NODE: '1' },
    });
    this.#child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL);
    });
    this.#child.on('message', (message) => this.#settle(message as Answer));
    this.#child.on('error', (cause) => this.#end(`could not be started (${cause.message})`));
    this.#child.on('exit', (code, signal) => this.#end(`ended (${signal ?? `exit code ${code}`})`));
  }

  /** @throws FlavrError `INFERENCE_FAILED` if ONNX Runtime does not take the graph. */
  static async open(graph: Uint8Array, threads: number): Promise<GraphRunner> {
    const runner = new GraphRunner();
    try {
      await runner.#ask({ op: 'open', graph, threads });
      return runner;
    } catch (error) {
      await runner.close();
      throw error;
    }
  }

  /** @param frames rgb24, in the order of the graph's inputs. */
  run(frames: readonly Uint8Array[]): Promise<Readonly<Record<string, FloatTensor>>> {
    return this.#ask({ op: 'run', frames });
  }

  /** Ends the process, whatever it does. */
  async close(): Promise<void> {
    this.#end('was closed');
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = new Promise((resolve) => this.#child.once('exit', resolve));
    if (this.#child.kill('SIGKILL')) await exited;
  }

  #ask(order: Order): Promise<Readonly<Record<string, FloatTensor>>> {
    return new Promise((resolve, reject) => {
      if (this.#failure) {
        reject(this.#failure);
        return;
      }
      this.#waiting.push({ resolve, reject });
      this.#child.send(order, (error) => error && this.#end(`could not be reached (${error.message})`));
    });
  }

  #settle(answer: Answer): void {
    const { resolve, reject } = this.#waiting.shift()!;
    if ('outputs' in answer) resolve(answer.outputs);
    else reject(new FlavrError('INFERENCE_FAILED', `ONNX Runtime failed: ${answer.failure}`));
  }

  #end(how: string): void {
    const said = this.#stderr.trim();
    this.#failure ??= new FlavrError(
      'INFERENCE_FAILED',
      `The process that runs ONNX Runtime ${how}.${said ? ` It said: ${said}` : ''}`,
    );
    for (const { reject } of this.#waiting.splice(0)) reject(this.#failure);
  }
}
