// Times the 2d lowering against the 3d one on the CPU: the framed full-width network (k = 2, fp32), both sessions open in one
// process, runs interleaved, so that whatever else the machine does falls on both alike.
// Usage: npm run build && node scripts/bench/lowering.mjs [--threads N] [--runs N] [--json] [SIZE …]
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import { untrainedModel } from '../../dist/bench/untrained.js';
import { buildGraph } from '../../dist/model/graph/build.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    runs: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(values.threads);
const runs = Number(values.runs);
const sizes = positionals.length > 0 ? positionals.map(Number) : [128, 256];
const LOWERINGS = ['3d', '2d'];

const model = untrainedModel('r18', 2);
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];
const results = [];
for (const size of sizes) {
  const frame = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 2654435761) >>> 24);
  const tensor = new ort.Tensor('uint8', frame, [1, size, size, 3]);
  const sessions = {};
  let feeds = {};
  for (const lowering of LOWERINGS) {
    const { bytes, inputs } = buildGraph(model, { width: size, height: size, lowering });
    sessions[lowering] = await ort.InferenceSession.create(bytes, { intraOpNumThreads: threads });
    feeds = Object.fromEntries(inputs.map((name) => [name, tensor]));
    await sessions[lowering].run(feeds);
  }
  const times = { '3d': [], '2d': [] };
  for (let run = 0; run < runs; run++) {
    for (const lowering of LOWERINGS) {
      const start = performance.now();
      await sessions[lowering].run(feeds);
      times[lowering].push(performance.now() - start);
    }
  }
  for (const lowering of LOWERINGS) await sessions[lowering].release();
  const [threeMs, twoMs] = LOWERINGS.map((lowering) => median(times[lowering]));
  results.push({ size, threads, runs, threeMs, twoMs, ratio: twoMs / threeMs });
  if (!values.json) {
    console.log(
      `${size}x${size}, ${threads} threads, median of ${runs}: 3d ${threeMs.toFixed(0)} ms, 2d ${twoMs.toFixed(0)} ms, ratio ${(twoMs / threeMs).toFixed(2)}`,
    );
  }
}
if (values.json) console.log(JSON.stringify(results));
