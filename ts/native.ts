import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { FlavrError, type FlavrErrorCode } from './errors.js';
import { packageRoot } from './package.js';

/** The TensorRT libraries that the addon can drive; each has headers, and so code, of its own. */
export type TensorRtFamily = 'tensorrt-10' | 'tensorrt-11' | 'tensorrt-rtx';

/** In fp16 dense on the tensor cores with accumulation in fp16, in fp32 without tensor cores. */
export interface PeakTeraflops {
  readonly fp16: number;
  readonly fp32: number;
}

export interface NativeDevice {
  readonly name: string;
  /** For example `8.9`. */
  readonly computeCapability: string;
  readonly memoryBytes: number;
  /** What its units could do at its highest clock, computed from published figures; absent for kinds not known. */
  readonly peakTeraflops?: PeakTeraflops;
}

export type NativeDriver =
  /** `cudaVersion`: the newest CUDA that the driver supports. */
  { readonly cudaVersion: string; readonly devices: readonly NativeDevice[] } | { readonly problem: string };

export type NativeLibrary =
  | {
      readonly name: string;
      /** The file that the loader took for `name`. */
      readonly path: string;
      readonly family: TensorRtFamily;
      readonly version: string;
      /** Why no graph can be parsed with it; absent if its ONNX parser was found. */
      readonly parserProblem?: string;
    }
  | { readonly name: string; readonly problem: string };

export interface NativeProbe {
  readonly driver: NativeDriver;
  /** In the order of the names that were asked for. */
  readonly libraries: readonly NativeLibrary[];
}

export interface NativeBuildRequest {
  /** A path, or a bare name for the loader's own search. */
  readonly library: string;
  /** The GPU to build on and for; TensorRT-RTX ignores it. */
  readonly device: number;
  /** A serialized ONNX ModelProto; copied before the call returns. */
  readonly model: Uint8Array;
  /** 0 leaves TensorRT's own limit. */
  readonly workspaceBytes: number;
  /** 0 to 5; -1 leaves TensorRT's own level. */
  readonly optimizationLevel: number;
  readonly allowTf32: boolean;
  /** Empty for none. */
  readonly timingCache: Uint8Array;
  /** Major * 10 + minor; TensorRT-RTX only. Empty: a portable engine. */
  readonly computeCapabilities: readonly number[];
}

export interface NativeEngine {
  readonly family: TensorRtFamily;
  readonly version: string;
  readonly plan: Uint8Array;
  /** Empty where the family has none. */
  readonly timingCache: Uint8Array;
}

export interface NativeBuild {
  /** Rejects with an Error whose `code` is a FlavrErrorCode. */
  readonly done: Promise<NativeEngine>;
  cancel(): void;
}

/** A serialized engine. The bytes must stay as they are until they are loaded. */
export interface NativePlan {
  readonly plan: Uint8Array;
  /** A file for kernels that TensorRT-RTX compiles on the device; empty: none. */
  readonly kernelCache: string;
}

export interface NativeSessionRequest {
  readonly family: 'tensorrt' | 'tensorrt-rtx';
  /** Path of the library that the engines are for. */
  readonly library: string;
  readonly device: number;
  /** One per factor. */
  readonly plans: readonly NativePlan[];
  readonly width: number;
  readonly height: number;
  /** Bytes from one row of a host frame to the next. */
  readonly stride: number;
  /** Windows in one run of the engines. */
  readonly batch: number;
  readonly inFlight: number;
  /** Frames of device memory taken at once; lanes beyond it take more when they are first used. */
  readonly ringFrames: number;
  /** Pinned blocks that may be in the caller's hands. */
  readonly lendableFrames: number;
  readonly graphs: boolean;
}

export interface NativeSessionStats {
  readonly windows: number;
  readonly batches: number;
  readonly hostCopiesIn: number;
  readonly hostCopiesOut: number;
  readonly gathers: number;
  readonly graphs: number;
  readonly graphsFailed: boolean;
  readonly framesPooled: number;
  readonly framesLent: number;
  readonly inferMs: number;
  readonly deviceBytes: number;
  readonly pinnedBytes: number;
}

/** Lanes are numbers from 1, slots numbers within their lane. Functions only hand over: none waits for the device. */
export interface NativeSession {
  prepare(plans: readonly NativePlan[]): Promise<void>;
  openLane(capacity: number): number;
  closeLane(lane: number): void;
  upload(lane: number, frame: Uint8Array, copy: boolean): number;
  free(lane: number, slot: number): void;
  /**
   * @param slots pairs of lane and slot, 2C for each window.
   * @param keep for each window the lane in which its outputs stay, or 0; their slots come back as `kept`, in order.
   */
  infer(
    factor: number,
    slots: Uint32Array,
    keep: Uint32Array,
  ): Promise<{ readonly frames: readonly Uint8Array[]; readonly kept: readonly number[] }>;
  /** Undefined if no pinned block can be spared. */
  allocFrame(): Uint8Array | undefined;
  stats(): NativeSessionStats;
  /** Finishes what was handed over. Once. */
  close(): Promise<void>;
}

/** Everything the addon exports. Arguments are checked by the callers in ts/; failures go through `nativeError`. */
export interface NativeAddon {
  probe(libraries: readonly string[]): Promise<NativeProbe>;
  build(request: NativeBuildRequest, onProgress: (fraction: number, phase: string) => void): NativeBuild;
  openSession(request: NativeSessionRequest): Promise<NativeSession>;
  /** Gives the memory of a frame that a session lent back, and detaches its buffer; no effect on any other. */
  releaseFrame(frame: Uint8Array): void;
}

type Loaded = { readonly addon: NativeAddon; readonly path: string } | { readonly problem: string };

const require = createRequire(import.meta.url);
let loaded: Loaded | undefined;

/** `linux-x64 (glibc)`: what a prebuilt binary must fit. */
export function platformName(): string {
  const platform = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux') return platform;
  // node-gyp-build's own rule, so that the name fits what it looked for.
  return `${platform} (${process.env.LIBC || (existsSync('/etc/alpine-release') ? 'musl' : 'glibc')})`;
}

/** What to do about an addon that is not there or does not load, from the loader's own words. */
function fixFor(detail: string): string {
  if (/GLIBC(XX)?_/.test(detail)) return 'It needs glibc 2.28 or newer: use a newer system, or build it here.';
  return (
    'Prebuilt addons exist for linux-x64 and linux-arm64 with glibc. Elsewhere build it in a clone of the repository ' +
    'with "npm run build:native" (a C++17 compiler and cmake); the CPU backend needs no addon.'
  );
}

function load(): Loaded {
  let path = process.env.FLAVR_ADDON;
  try {
    path ??= (require('node-gyp-build') as { resolve(folder: string): string }).resolve(packageRoot());
    return { addon: require(path) as NativeAddon, path };
  } catch (error) {
    const detail = (error as Error).message.trim().replace(/\s*\n\s*/g, '; ');
    const what = path === undefined ? 'was not found' : `at ${path} could not be loaded`;
    return { problem: `flavr's native addon ${what} on ${platformName()}: ${detail}. ${fixFor(detail)}` };
  }
}

/**
 * The addon, or why there is none, as one sentence with the fix. Looked for once, on first use, in this order: the file
 * that the environment variable `FLAVR_ADDON` names, `build/Release` of the package (skipped with `PREBUILDS_ONLY=1`),
 * its `prebuilds`; `FLAVR_PREBUILD` names another folder for the last two.
 */
export function findNative(): Loaded {
  loaded ??= load();
  return loaded;
}

/** @throws FlavrError `BACKEND_UNAVAILABLE` with the fix where the addon cannot be loaded. */
export function loadNative(): NativeAddon {
  const found = findNative();
  if ('problem' in found) throw new FlavrError('BACKEND_UNAVAILABLE', found.problem);
  return found.addon;
}

/** What the addon rejected with, as the package's own error with the stack of the JavaScript call. */
export function nativeError(error: unknown): FlavrError {
  // What native code did not foresee, such as memory that ran out in an allocation of its own, comes without a code.
  const { code = 'INFERENCE_FAILED', message } = error as { code?: FlavrErrorCode; message: string };
  return new FlavrError(code, message, { cause: error });
}
