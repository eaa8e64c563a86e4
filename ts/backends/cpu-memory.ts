import { FlavrError } from '../errors.js';
import type { FrameFormat } from '../frame.js';
import type { BuiltGraph } from '../model/graph-spec.js';

const MiB = 2 ** 20;
// A Node process with ONNX Runtime loaded and no model in it.
const PROCESS = 100 * MiB;

/** What a session takes, in bytes. */
export interface CpuMemory {
  /** Does not depend on the size of the frames. */
  readonly fixed: number;
  readonly perFrameSize: number;
}

/** Weights stand in the graph's file, in the session, and once more in the order its kernels want. */
export function estimateCpuMemory({ bytes, estimate }: BuiltGraph): CpuMemory {
  return { fixed: PROCESS + bytes.length + 2 * estimate.weightBytes, perFrameSize: estimate.peakActivationBytes };
}

/** @throws FlavrError `OUT_OF_MEMORY` with the numbers and the largest size of the same shape that fits. */
export function checkCpuMemory({ fixed, perFrameSize }: CpuMemory, format: FrameFormat, available: number): void {
  const needed = fixed + perFrameSize;
  if (needed <= available) return;
  const scale = Math.sqrt(Math.max(0, available - fixed) / perFrameSize);
  const fit = (side: number) => Math.floor((side * scale) / 8) * 8;
  const { width, height } = format;
  const size = `${fit(width)}x${fit(height)}`;
  const advice =
    fit(width) > 0 && fit(height) > 0
      ? `The largest size of this shape that fits is ${size}; scale the frames down, or free memory.`
      : 'Not even small frames fit; free memory.';
  const mib = (bytes: number) => `${Math.ceil(bytes / MiB)} MiB`;
  throw new FlavrError(
    'OUT_OF_MEMORY',
    `The model needs about ${mib(needed)} for ${width}x${height} frames and ${mib(available)} are available. ${advice}`,
  );
}
