import { checkOptions } from '../arguments.js';
import type { BackendName } from '../backends/backend.js';
import {
  findNative,
  loadNative,
  type NativeDevice,
  type NativeLibrary,
  platformName,
  type TensorRtFamily,
} from '../native.js';
import {
  type LibraryCandidate,
  libraryCandidates,
  SEARCH_OPTIONS,
  type SearchOptions,
  type SearchPlace,
} from './libraries.js';

/** A TensorRT library that flavr can drive. */
export interface FoundLibrary {
  readonly family: TensorRtFamily;
  readonly version: string;
  readonly path: string;
  readonly place: SearchPlace;
  /** Why no engine can be built with it; absent if its ONNX parser is there too. */
  readonly parserProblem?: string;
}

/** Something that was found and cannot be used. */
export interface RejectedLibrary {
  readonly name: string;
  readonly place: SearchPlace;
  readonly problem: string;
}

/** What this machine can run. Plain data; nothing in it changes the machine. */
export interface ProbeReport {
  /** For example `linux-x64 (glibc)`. */
  readonly platform: string;
  readonly addon: { readonly path: string } | { readonly problem: string };
  readonly driver:
    | { readonly cudaVersion: string; readonly devices: readonly NativeDevice[] }
    | { readonly problem: string };
  /** In the order in which flavr would take them. */
  readonly libraries: readonly FoundLibrary[];
  readonly rejected: readonly RejectedLibrary[];
  /** Why a GPU backend cannot run here, with the fix; absent where it can. */
  readonly unavailable: Readonly<Partial<Record<Exclude<BackendName, 'cpu'>, string>>>;
}

/** Compute capabilities that TensorRT-RTX runs on; data-centre GPUs such as 9.0 are not among them. */
export const RTX_CAPABILITIES = ['7.5', '8.0', '8.6', '8.9', '12.0', '12.1'] as const;

/** Those that run TensorRT-RTX's portable engines by every edition of its documentation; 7.5 runs none. */
const RTX_PORTABLE: readonly string[] = ['8.6', '8.9', '12.0'];

/** What an RTX engine for this GPU must be built for by name; empty where a portable one runs on it. */
export function rtxTargets(gpu: Pick<NativeDevice, 'computeCapability'> | undefined): readonly string[] {
  return gpu === undefined || RTX_PORTABLE.includes(gpu.computeCapability) ? [] : [gpu.computeCapability];
}

/** How to get the libraries of each GPU backend. */
export const INSTALL = {
  tensorrt: 'install TensorRT 10 or 11 from developer.nvidia.com/tensorrt',
  'tensorrt-rtx': 'install TensorRT-RTX (pip install tensorrt-rtx-cu13-libs)',
} as const;

/** Whether a family belongs to the backend. */
export const isOf = (backend: Exclude<BackendName, 'cpu'>, family: TensorRtFamily): boolean =>
  (family === 'tensorrt-rtx') === (backend === 'tensorrt-rtx');

/** Why the backend cannot run, or undefined; pure, so that every machine can be tried on one. */
export function whyUnavailable(
  backend: Exclude<BackendName, 'cpu'>,
  report: Omit<ProbeReport, 'unavailable'>,
): string | undefined {
  if ('problem' in report.addon) return report.addon.problem;
  if ('problem' in report.driver) return report.driver.problem;
  const { devices } = report.driver;
  if (devices.length === 0)
    return 'The NVIDIA driver works but sees no GPU. Check CUDA_VISIBLE_DEVICES and nvidia-smi.';
  if (!report.libraries.some(({ family }) => isOf(backend, family))) {
    const rejected = report.rejected.map(({ name, problem }) => `${name}: ${problem}`).join('; ');
    return (
      `No usable ${backend === 'tensorrt' ? 'TensorRT' : 'TensorRT-RTX'} library was found${rejected && ` (${rejected})`}. ` +
      `To have it, ${INSTALL[backend]}, or name its folder in FLAVR_TENSORRT_PATH.`
    );
  }
  const fits = ({ computeCapability }: NativeDevice) =>
    (RTX_CAPABILITIES as readonly string[]).includes(computeCapability);
  if (backend === 'tensorrt-rtx' && !devices.some(fits)) {
    return (
      `TensorRT-RTX runs on compute capability ${RTX_CAPABILITIES.join(', ')}; the GPUs here have ` +
      `${devices.map(({ computeCapability }) => computeCapability).join(', ')}. Use TensorRT (backend tensorrt) on them.`
    );
  }
  return undefined;
}

function sortFound(candidates: readonly LibraryCandidate[], libraries: readonly NativeLibrary[]) {
  const found: FoundLibrary[] = [];
  const rejected: RejectedLibrary[] = [];
  for (const [i, library] of libraries.entries()) {
    const { name, place } = candidates[i]!;
    if ('problem' in library) {
      // On the loader's path most names are simply not installed, which is no finding.
      if (place !== 'loader path' || !library.problem.includes(`${name}: cannot open shared object file`)) {
        rejected.push({ name, place, problem: library.problem });
      }
    } else if (!found.some(({ path }) => path === library.path)) {
      const { family, version, path, parserProblem } = library;
      found.push({ family, version, path, place, ...(parserProblem !== undefined && { parserProblem }) });
    }
  }
  return { libraries: found, rejected };
}

async function look(options: SearchOptions): Promise<Omit<ProbeReport, 'unavailable'>> {
  const platform = platformName();
  const native = findNative();
  if ('problem' in native) {
    const notLooked = { problem: 'Not looked for, because the addon could not be loaded.' };
    return { platform, addon: { problem: native.problem }, driver: notLooked, libraries: [], rejected: [] };
  }
  const candidates = await libraryCandidates(options);
  const probed = await loadNative().probe(candidates.map(({ name }) => name));
  return {
    platform,
    addon: { path: native.path },
    driver: probed.driver,
    ...sortFound(candidates, probed.libraries),
  };
}

/**
 * Finds out what this machine can run: the addon, the NVIDIA driver and its GPUs, the TensorRT libraries and their
 * versions; and for each GPU backend that cannot run, why, and what to do. Never rejects because something is missing.
 *
 * @example
 * const report = await probe();
 * console.log(report.unavailable.tensorrt ?? 'TensorRT can run');
 */
export async function probe(options: SearchOptions = {}): Promise<ProbeReport> {
  checkOptions('probe', options, SEARCH_OPTIONS);
  const report = await look(options);
  const tensorrt = whyUnavailable('tensorrt', report);
  const rtx = whyUnavailable('tensorrt-rtx', report);
  return {
    ...report,
    unavailable: {
      ...(tensorrt !== undefined && { tensorrt }),
      ...(rtx !== undefined && { 'tensorrt-rtx': rtx }),
    },
  };
}

/**
 * What `probe` would say of the backend, without looking for libraries where no driver or GPU is: that search runs Python
 * and takes half a second, which every opening on a machine without a GPU would pay for.
 */
export async function probeBackend(backend: Exclude<BackendName, 'cpu'>): Promise<string | undefined> {
  const native = findNative();
  if ('problem' in native) return native.problem;
  const { driver } = await loadNative().probe([]);
  const hasGpu = !('problem' in driver) && driver.devices.length > 0;
  if (hasGpu) return (await probe()).unavailable[backend];
  const machine = { platform: platformName(), addon: { path: native.path }, driver, libraries: [], rejected: [] };
  return whyUnavailable(backend, machine);
}
