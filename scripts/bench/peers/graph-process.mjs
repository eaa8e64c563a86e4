// Runs one ONNX graph, from a window of floats to frames of floats, with the options that the package runs its own with:
// one process for each, since sessions that share one are slower. Spoken to as torch_peer.py is.
// Usage: graph-process.mjs GRAPH WINDOW SHAPE THREADS OUTPUT
import { readFileSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import * as ort from 'onnxruntime-node';
import '../no-telemetry.mjs';
import { cpuSessionOptions } from '../../../dist/backends/cpu-options.js';

const [graph, window, shape, threads, output] = process.argv.slice(2);
const floats = new Float32Array(new Uint8Array(readFileSync(window)).buffer);
const tensor = new ort.Tensor('float32', floats, shape.split(',').map(Number));
let session;

const infer = async () => (await session.run({ [session.inputNames[0]]: tensor }))[session.outputNames[0]];

const answers = {
  async open() {
    const options = { ...cpuSessionOptions(Number(threads)), logSeverityLevel: 3 };
    session = await ort.InferenceSession.create(graph, options);
    const { data } = await infer();
    writeFileSync(output, data);
    return { output };
  },
  async run() {
    const started = performance.now();
    await infer();
    return { ms: performance.now() - started };
  },
};

for await (const line of createInterface(process.stdin)) {
  const answer = await answers[JSON.parse(line).op]().catch((error) => ({ error: error.message }));
  console.log(JSON.stringify(answer));
}
