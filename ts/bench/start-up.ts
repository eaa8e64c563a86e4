import { fork } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { abortError, FlavrError, throwIfAborted } from '../errors.js';
import type { OpenOptions } from '../options.js';
import { packageRoot } from '../package.js';
import { peerProblem } from '../peers.js';
import { summarizeTimes, type Timing } from './timing.js';

/** How long a new process takes, each from its start, in milliseconds. Files are in the system's cache after the first. */
export interface StartUp {
  /** Until flavr is imported. */
  readonly imported: Timing;
  /** Until a session is open and ready. */
  readonly opened: Timing;
  /** Until the first new frame is there. */
  readonly firstFrame: Timing;
  /** Of a whole `flavr interpolate` that makes one new frame of a file and writes it; undefined without node-av. */
  readonly command: Timing | undefined;
}

/** What the process is told; every value survives JSON. */
export type StartUpRequest = Pick<OpenOptions, 'width' | 'height' | 'backend' | 'device' | 'precision' | 'threads'> & {
  readonly model: string;
  /** Path of a file. */
  readonly calibration?: string | undefined;
  readonly k: number;
};

/** What it answers: moments on the system's clock, in milliseconds. */
export interface StartUpMoments {
  readonly imported: number;
  readonly opened: number;
  readonly firstFrame: number;
}

const RUNS = 3;
// The end of what a process wrote on standard error goes into the message when it fails.
const STDERR_TAIL = 2000;

/** Starts processes of their own, one after another. */
export async function measureStartUp(request: StartUpRequest, signal?: AbortSignal): Promise<StartUp> {
  const runs: StartUpMoments[] = [];
  for (let i = 0; i < RUNS; i++) runs.push(await startOnce(request, signal));
  const commands: number[] = [];
  if (peerProblem('node-av') === undefined) {
    for (let i = 0; i < RUNS; i++) commands.push(await runCommand(request, signal));
  }
  return {
    imported: summarizeTimes(runs.map(({ imported }) => imported)),
    opened: summarizeTimes(runs.map(({ opened }) => opened)),
    firstFrame: summarizeTimes(runs.map(({ firstFrame }) => firstFrame)),
    command: commands.length > 0 ? summarizeTimes(commands) : undefined,
  };
}

const now = (): number => performance.timeOrigin + performance.now();

async function startOnce(request: StartUpRequest, signal: AbortSignal | undefined): Promise<StartUpMoments> {
  const started = now();
  const message = await runProcess('./start-up-process.js', [JSON.stringify(request)], signal);
  const { imported, opened, firstFrame } = message as StartUpMoments;
  return { imported: imported - started, opened: opened - started, firstFrame: firstFrame - started };
}

async function runCommand(request: StartUpRequest, signal: AbortSignal | undefined): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'flavr-bench-'));
  try {
    const { width, height, ...named } = request;
    const options = Object.entries(named).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, String(value)],
    );
    const sample = join(packageRoot(), 'samples', 'bunny.mp4');
    // Two frames: the sample has 25 in a second.
    const words = ['interpolate', sample, '--duration', '0.08', '-o', join(folder, 'out.mp4'), ...options];
    const started = now();
    await runProcess('../cli/main.js', words, signal);
    return now() - started;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Runs a program of the package to its end; resolves with the last message that it sent. */
function runProcess(program: string, words: readonly string[], signal: AbortSignal | undefined): Promise<unknown> {
  throwIfAborted(signal);
  return new Promise((resolve, reject) => {
    const child = fork(fileURLToPath(new URL(program, import.meta.url)), words, {
      execArgv: [],
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    const end = () => void child.kill('SIGKILL');
    signal?.addEventListener('abort', end, { once: true });
    let said = '';
    let answer: unknown;
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-STDERR_TAIL);
    });
    child.on('message', (message) => {
      answer = message;
    });
    child.on('error', reject);
    child.on('close', (code) => {
      signal?.removeEventListener('abort', end);
      if (signal?.aborted) reject(abortError(signal));
      else if (code === 0) resolve(answer);
      else reject(new FlavrError('INFERENCE_FAILED', `A new process failed. It said: ${said.trim()}`));
    });
  });
}
