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
    // Threads that spin as long as they wait take the cores from whoever decodes and encodes, and, where cores are shared,
    // from the threads they wait for; threads that sleep at once sleep between any two nodes. 10 us, in which the next node
    // mostly comes: mini-2x at 256x256 on two cores takes 0.94 times as long as without, and no longer beside a busy thread,
    // where 50 us take 1.13 times and 1 ms 1.4 times as long.
    extra: { session: { intra_op: { allow_spinning: '1', spin_duration_us: '10' } } },
  };
}
