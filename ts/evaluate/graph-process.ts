// The process that runs one ONNX graph for evaluation: started and ended by graph-runner.ts, because a run blocks the thread
// that calls it and a thread inside it cannot be ended.
import type { InferenceSession } from 'onnxruntime-node';
import { cpuSessionOptions } from '../backends/cpu-options.js';
import type { Answer, FloatTensor, Order } from './graph-runner.js';

type Ort = Pick<typeof import('onnxruntime-node'), 'InferenceSession' | 'Tensor'>;

const loading: Promise<Ort> = import('onnxruntime-node').then((ort) => ('default' in ort ? (ort.default as Ort) : ort));
let session: InferenceSession;
/** One order after another. */
let work: Promise<void> = Promise.resolve();

async function carryOut(order: Order): Promise<Readonly<Record<string, FloatTensor>>> {
  const ort = await loading;
  if (order.op === 'open') {
    session = await ort.InferenceSession.create(order.graph, cpuSessionOptions(order.threads));
    return {};
  }
  const feeds = session.inputMetadata.map((input, i) => {
    const shape = input.isTensor ? (input.shape as number[]) : [];
    return [input.name, new ort.Tensor('uint8', order.frames[i]!, shape)] as const;
  });
  const results = Object.entries(await session.run(Object.fromEntries(feeds)));
  return Object.fromEntries(results.map(([name, { data, dims }]) => [name, { data: data as Float32Array, dims }]));
}

process.on('message', (order: Order) => {
  const reply = (answer: Answer) => process.send!(answer);
  work = work
    .then(() => carryOut(order))
    .then(
      (outputs) => void reply({ outputs }),
      (error: unknown) => void reply({ failure: error instanceof Error ? error.message : String(error) }),
    );
});
// Signals to a process group are for the parent to act on. When it has gone, nobody is left to run for.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.on('disconnect', () => process.exit());
