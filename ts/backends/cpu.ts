import { availableParallelism } from 'node:os';
import { FlavrError, throwIfAborted } from '../errors.js';
import { planGraph, takesBlocks } from '../model/graph/build.js';
import type { PlannedGraph, Precision } from '../model/graph-spec.js';
import { onAbort } from '../on-abort.js';
import { peerProblem } from '../peers.js';
import type { Backend, Session, SessionOptions } from './backend.js';
import { checkCpuMemory, estimateCpuMemory } from './cpu-memory.js';
import { CPU_LOWERING } from './cpu-options.js';
import { CpuSession } from './cpu-session.js';
import { choosePrecision } from './precisions.js';

/** ONNX Runtime on the CPU: the backend that every machine has. Batches are run one window at a time. */
export const cpuBackend: Backend = {
  name: 'cpu',

  async unavailable() {
    return peerProblem('onnxruntime-node');
  },

  openSession: (options) => openCpuSession(options),
};

/**
 * As `Backend.openSession`.
 * @param program what the session's process runs. Default: ONNX Runtime as it is installed.
 */
export async function openCpuSession(options: SessionOptions, program?: URL): Promise<Session> {
  const { model, format, factors, lowering = CPU_LOWERING, threads = availableParallelism(), signal } = options;
  if (model.kind === 'engine') {
    throw new FlavrError('BAD_ARGUMENT', 'An engine runs on a GPU; the CPU backend needs its model.');
  }
  const precision = choosePrecision('cpu', options.precision) as Precision;
  const problem = peerProblem('onnxruntime-node');
  if (problem !== undefined) throw new FlavrError('PEER_MISSING', problem);
  const memoryBytes = new Map<number, number>();
  const fedNames = new Set<string>();
  const graph = (factor: number, block: number): PlannedGraph => {
    const planned = planGraph(model, {
      width: format.width,
      height: format.height,
      factor,
      precision,
      lowering,
      form: 'framed',
      block,
      fed: true,
    });
    // All factors share the weights that their graphs are fed with.
    const added = planned.fed.filter(({ name }) => !fedNames.has(name));
    const memory = estimateCpuMemory(model, { ...planned, fed: added });
    checkCpuMemory(memory, format, process.availableMemory());
    for (const { name } of added) fedNames.add(name);
    memoryBytes.set(factor, memory.fixed + memory.perFrameSize);
    return planned;
  };
  throwIfAborted(signal);
  const session = new CpuSession({
    format,
    threads,
    inBlocks: takesBlocks(model, { lowering, precision }),
    graph,
    program,
    memoryBytes: () => [...memoryBytes.values()].reduce((sum, bytes) => sum + bytes, 0),
  });
  const heedNoMore = onAbort(signal, () => void session.dispose());
  try {
    for (const factor of factors) await session.prepare(factor, options);
    throwIfAborted(signal);
    return session;
  } catch (error) {
    await session.dispose();
    throwIfAborted(signal);
    throw error;
  } finally {
    heedNoMore();
  }
}
