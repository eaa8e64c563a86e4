import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { packageRoot, packageVersion } from '../package.js';

/** What a figure depends on beside the code; stands in every report. */
export interface Environment {
  readonly flavr: string;
  /** Of the clone the program runs from, with `+` behind it if files differ; undefined in an installed package. */
  readonly commit: string | undefined;
  readonly node: string;
  readonly system: string;
  readonly processor: string;
  readonly cores: number;
  readonly memoryGiB: number;
  /** Mean number of runnable processes over the last minute, at the start: above the cores, figures mean little. */
  readonly load: number;
  /** Versions of the peers that are installed. */
  readonly libraries: Readonly<Record<string, string>>;
}

export function readEnvironment(): Environment {
  return {
    flavr: packageVersion(),
    commit: commit(),
    node: process.version,
    system: `${type()} ${release()} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round((totalmem() / 2 ** 30) * 10) / 10,
    load: Math.round(loadavg()[0]! * 100) / 100,
    libraries: Object.fromEntries(
      ['onnxruntime-node', 'node-av', 'sharp'].flatMap((name) => {
        const version = installedVersion(name);
        return version ? [[name, version]] : [];
      }),
    ),
  };
}

function commit(): string | undefined {
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', packageRoot(), ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    // An installed package may lie in somebody else's repository.
    if (git('rev-parse', '--show-prefix').trim() !== '') return undefined;
    const changed = git('status', '--porcelain', '--untracked-files=no').trim() !== '';
    return git('rev-parse', '--short', 'HEAD').trim() + (changed ? '+' : '');
  } catch {
    return undefined;
  }
}

function installedVersion(name: string): string | undefined {
  try {
    const require = createRequire(join(packageRoot(), 'package.json'));
    const entry = require.resolve(name);
    const home = entry.slice(0, entry.lastIndexOf(join('node_modules', name)) + join('node_modules', name).length);
    return (JSON.parse(readFileSync(join(home, 'package.json'), 'utf8')) as { version: string }).version;
  } catch {
    return undefined;
  }
}
