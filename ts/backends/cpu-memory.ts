import { FlavrError } from '../errors.js';
import type { FrameFormat } from '../frame.js';
import type { Model } from '../model/config.js';
import type { FedKernel, PlannedGraph } from '../model/graph-spec.js';
import { ElementType, elementBytes } from '../model/onnx/proto.js';
import { elementCount } from '../model/shape.js';

const MiB = 2 ** 20;
// A Node process with ONNX Runtime loaded and no model in it: 100 MiB mostly, a few more on a busy machine.
const PROCESS = 112 * MiB;

// ONNX Runtime's peak over the activations alive at one time, as measured and rounded up: copies in the layout that its
// kernels want, for three-dimensional convolutions every input value once per tap of the kernel, and what its arena holds
// in pieces too small for the next tensor. From 480x270 to 3840x2160 the bundled models came to 2.0 to 3.0 in the winograd
// lowering, and to 2.2 in 2d; small frames take less. The published width came to 2.3, 3.8 and 2.9 (480x270, 854x480 and
// 1280x720): what its arena happens to waste, and no reason to refuse all others a quarter sooner.
const WORKING_SET = { '2d': 2.25, winograd: 3.1, '3d': 10 };

/** What a session takes, in bytes. */
export interface CpuMemory {
  /** Does not depend on the size of the frames. */
  readonly fixed: number;
  readonly perFrameSize: number;
}

export function estimateCpuMemory(
  model: Model,
  { spec, estimate, fed }: Pick<PlannedGraph, 'spec' | 'estimate' | 'fed'>,
): CpuMemory {
  // Half precision is computed in float32. A graph of another maker has the convolutions it has.
  const scale = WORKING_SET[model.kind === 'graph' ? '3d' : spec.lowering] * (spec.precision === 'fp16' ? 2 : 1);
  return {
    // Weights stand in the graph's file, in the session, and once more in the order that its kernels want; as much again
    // is what opening was seen to take for a while, the more the larger they are. Those that it is fed with stand once,
    // beside the kernels that they were made of last.
    fixed: PROCESS + 4 * estimate.weightBytes + fedBytes(fed),
    perFrameSize: scale * estimate.peakActivationBytes,
  };
}

function fedBytes(fed: readonly FedKernel[]): number {
  const kernels = fed.map(({ shape }) => elementCount(shape) * elementBytes(ElementType.float32));
  return fed.reduce((sum, { bytes }) => sum + bytes, 2 * Math.max(0, ...kernels));
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
