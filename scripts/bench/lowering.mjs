// Times the lowerings against one another on the CPU, with all their sessions open in one process and their runs
// interleaved, so that whatever else the machine does falls on all alike; and shows how far their outputs are apart.
// Usage: npm run build && node scripts/bench/lowering.mjs [--lowerings 2d,winograd] [--model M] [--k N] [--threads N]
//   [--runs N] [--json] [SIZE …]
// Ratios and differences are against the first. Without --model: the published full-width network with weights of noise.
import { availableParallelism } from 'node:os';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import './no-telemetry.mjs';
import { cpuSessionOptions } from '../../dist/backends/cpu-options.js';
import { findBlock } from '../../dist/backends/find-block.js';
import { untrainedModel } from '../../dist/bench/untrained.js';
import { buildGraph } from '../../dist/model/graph/build.js';
import { loadModel } from '../../dist/model/load.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    lowerings: { type: 'string', default: '3d,2d,winograd' },
    model: { type: 'string' },
    k: { type: 'string', default: '2' },
    threads: { type: 'string', default: String(availableParallelism()) },
    runs: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
  },
});
const threads = Number(values.threads);
const runs = Number(values.runs);
const sizes = positionals.length > 0 ? positionals.map(Number) : [128, 256];

const block = await findBlock(ort);
const model = values.model ? await loadModel(values.model) : untrainedModel('r18', Number(values.k));
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];
const largestDifference = (a, b) => a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);

async function open(lowering, size, tensor) {
  const spec = { width: size, height: size, factor: Number(values.k), lowering, block, form: 'unrounded' };
  const { bytes, inputs } = buildGraph(model, spec);
  const session = await ort.InferenceSession.create(bytes, cpuSessionOptions(threads));
  const feeds = Object.fromEntries(inputs.map((name) => [name, tensor]));
  const { interpolated } = await session.run(feeds);
  return { lowering, session, feeds, output: interpolated.data, times: [] };
}

const results = [];
for (const size of sizes) {
  const frame = Uint8Array.from({ length: size * size * 3 }, (_, i) => (i * 2654435761) >>> 24);
  const tensor = new ort.Tensor('uint8', frame, [1, size, size, 3]);
  const variants = [];
  for (const lowering of values.lowerings.split(',')) variants.push(await open(lowering, size, tensor));
  for (let run = 0; run < runs; run++) {
    for (const { session, feeds, times } of variants) {
      const start = performance.now();
      await session.run(feeds);
      times.push(performance.now() - start);
    }
  }
  if (!values.json)
    console.log(`${model.name}, k = ${values.k}, ${size}x${size}, ${threads} threads, median of ${runs}`);
  const [first] = variants;
  for (const { lowering, session, output, times } of variants) {
    await session.release();
    const result = {
      ...{ model: model.name, k: Number(values.k), size, threads, runs, lowering },
      ms: median(times),
      ratio: median(times) / median(first.times),
      difference: largestDifference(output, first.output),
    };
    results.push(result);
    if (values.json) continue;
    const apart = `at most ${result.difference.toExponential(1)} apart`;
    console.log(`  ${lowering.padEnd(8)} ${result.ms.toFixed(0).padStart(6)} ms  ${result.ratio.toFixed(3)}  ${apart}`);
  }
}
if (values.json) console.log(JSON.stringify(results));
