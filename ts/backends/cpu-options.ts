import type { InferenceSession } from 'onnxruntime-node';
import type { Lowering } from '../model/graph-spec.js';

/** The fastest on the CPU. */
export const CPU_LOWERING: Lowering = 'winograd';

/** How every graph is run on the CPU. */
export function cpuSessionOptions(threads: number): InferenceSession.SessionOptions {
  return {
    executionProviders: ['cpu'],
    graphOptimizationLevel: 'all',
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    enableCpuMemArena: true,
    // One block for all activations takes more memory than blocks taken again as they fall free, and is no faster.
    enableMemPattern: false,
    // Threads that spin while they wait take the cores from whoever decodes and encodes, and, where cores are shared,
    // from the threads they wait for: mini-2x at 256x256 on two cores takes 0.9 times as long alone, but 1.6 times beside
    // one busy thread, whether or not the spinning stops between runs.
    extra: { session: { intra_op: { allow_spinning: '0' } } },
  };
}
