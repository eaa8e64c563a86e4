import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { availableParallelism, cpus, loadavg, release, totalmem, type } from 'node:os';
import { join } from 'node:path';
import { probe } from '../engine/probe.js';
import { findNative, loadNative, type PeakTeraflops } from '../native.js';
import { packageRoot, packageVersion } from '../package.js';

/** What a figure depends on beside the code; stands in every report. */
export interface Environment {
  readonly flavr: string;
  /** Of the clone the program runs from, with `+` behind it if files differ; undefined in an installed package. */
  readonly commit: string | undefined;
  /** When the run began, in UTC. */
  readonly date: string;
  readonly node: string;
  readonly system: string;
  readonly processor: string;
  readonly cores: number;
  /** What decides the clock on Linux, such as `performance` or `powersave`; undefined where it is not told. */
  readonly governor: string | undefined;
  readonly memoryGiB: number;
  /** Mean number of runnable processes over the last minute, at the start: above the cores, figures mean little. */
  readonly load: number;
  /** Versions of the peers that are installed. */
  readonly libraries: Readonly<Record<string, string>>;
}

/** The GPUs of the machine and what drives them. */
export interface Devices {
  readonly gpus: readonly {
    readonly name: string;
    readonly computeCapability: string;
    readonly memoryGiB: number;
    readonly peakTeraflops?: PeakTeraflops | undefined;
  }[];
  /** The NVIDIA driver's version, where the kernel tells it. */
  readonly driver: string | undefined;
  /** The newest CUDA that the driver supports. */
  readonly cuda: string;
  /** Versions by family: `tensorrt-10`, `tensorrt-11`, `tensorrt-rtx`; of each the one that flavr takes. */
  readonly libraries: Readonly<Record<string, string>>;
}

export function readEnvironment(): Environment {
  return {
    flavr: packageVersion(),
    commit: commit(),
    date: new Date().toISOString(),
    node: process.version,
    system: `${type()} ${release()} ${process.arch}`,
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    governor: readLine('/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor'),
    memoryGiB: gibibytes(totalmem()),
    load: Math.round(loadavg()[0]! * 100) / 100,
    libraries: Object.fromEntries(
      ['onnxruntime-node', 'node-av', 'sharp'].flatMap((name) => {
        const version = installedVersion(name);
        return version ? [[name, version]] : [];
      }),
    ),
  };
}

/** Undefined where there is no GPU that the addon could use. */
export async function readDevices(): Promise<Devices | undefined> {
  if ('problem' in findNative()) return undefined;
  const { driver } = await loadNative().probe([]);
  if ('problem' in driver || driver.devices.length === 0) return undefined;
  const { libraries } = await probe();
  return {
    gpus: driver.devices.map(({ name, computeCapability, memoryBytes, peakTeraflops }) => {
      return { name, computeCapability, memoryGiB: gibibytes(memoryBytes), peakTeraflops };
    }),
    driver: /Module\s+(?:for \S+\s+)?(\d+[\d.]*)/.exec(readLine('/proc/driver/nvidia/version') ?? '')?.[1],
    cuda: driver.cudaVersion,
    // The first of a family is the one that is taken.
    libraries: Object.fromEntries([...libraries].reverse().map(({ family, version }) => [family, version])),
  };
}

const gibibytes = (bytes: number): number => Math.round((bytes / 2 ** 30) * 10) / 10;

function readLine(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').split('\n')[0]!.trim();
  } catch {
    return undefined;
  }
}

function commit(): string | undefined {
  const git = (...words: string[]) =>
    execFileSync('git', ['-C', packageRoot(), ...words], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    // An installed package may lie in somebody else's repository.
    if (git('rev-parse', '--show-prefix').trim() !== '') return undefined;
    // Pages that the figures are being written to change nothing that is measured.
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', '.', ':!docs', ':!*.md').trim() !== '';
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
