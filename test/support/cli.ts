import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../ts/package.js';

/** The command line as compiled for the tests. */
export const CLI = join(packageRoot(), '.test-build', 'ts', 'cli', 'main.js');
export const SAMPLE = join(packageRoot(), 'samples', 'bunny.mp4');

export interface CliRun {
  /** Exit code, or null if a signal ended the process. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CliOptions {
  readonly cwd?: string;
  /** Words in front of node, for example `unshare -rn`. */
  readonly wrapper?: readonly string[];
  /** Called with the child as soon as it has said something on stderr. */
  readonly onFirstNote?: (child: ChildProcess) => void;
}

/** Runs the real command line in a process of its own. */
export function flavr(words: readonly string[], options: CliOptions = {}): Promise<CliRun> {
  const [command, ...args] = [...(options.wrapper ?? []), process.execPath, CLI, ...words];
  return new Promise((resolve, reject) => {
    const child = spawn(command!, args, {
      stdio: ['ignore', 'pipe', 'pipe'],
      ...(options.cwd && { cwd: options.cwd }),
    });
    const text = { stdout: '', stderr: '' };
    for (const stream of ['stdout', 'stderr'] as const) {
      child[stream].setEncoding('utf8').on('data', (chunk: string) => {
        text[stream] += chunk;
      });
    }
    child.stderr.once('data', () => options.onFirstNote?.(child));
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...text }));
  });
}
