// What precision int8 gains and loses on the CPU. Without videos the speed: int8 against fp32 in its default lowering,
// mini-2x and the full-width network, both sessions open in one process, runs interleaved. With videos the loss: mini-2x
// against the true frames of each VIDEO, every second of which is left out, with ranges measured on another video.
// Usage: npm run build && node scripts/bench/int8.mjs [--threads N] [--runs N]
//        npm run build && node scripts/bench/int8.mjs [--threads N] [--limit N] --calibrate VIDEO VIDEO…
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { parseArgs } from 'node:util';
import * as ort from 'onnxruntime-node';
import './no-telemetry.mjs';
import { CPU_LOWERING, cpuSessionOptions } from '../../dist/backends/cpu-options.js';
import { findBlock } from '../../dist/backends/find-block.js';
import { untrainedModel } from '../../dist/bench/untrained.js';
import { calibrate, evaluateMethods, modelMethod } from '../../dist/evaluate/index.js';
import { calibratedModel, readCalibration } from '../../dist/model/calibration.js';
import { buildGraph } from '../../dist/model/graph/build.js';
import { loadModel } from '../../dist/model/load.js';

const { values, positionals: videos } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    runs: { type: 'string', default: '7' },
    limit: { type: 'string', default: '10' },
    calibrate: { type: 'string' },
  },
});
const threads = Number(values.threads);
const median = (times) => times.toSorted((a, b) => a - b)[times.length >> 1];
const mini = await loadModel('mini-2x');

if (values.calibrate) await measureLoss();
else await measureSpeed();

async function measureSpeed() {
  const block = await findBlock(ort);
  for (const [model, width, height] of [
    [untrainedModel('r18', 2), 128, 128],
    [untrainedModel('r18', 2), 256, 256],
    [mini, 480, 270],
    [mini, 854, 480],
  ]) {
    const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => 100 * (1 + Math.sin(i / 700)));
    const window = Array.from({ length: 4 }, () => ({ data, width, height }));
    const calibrated = calibratedModel(model, await calibrate(model, [window], { threads }));
    const tensor = new ort.Tensor('uint8', data, [1, height, width, 3]);
    const sessions = {};
    const times = { fp32: [], int8: [] };
    let feeds;
    for (const precision of Object.keys(times)) {
      const { bytes, inputs } = buildGraph(calibrated, { width, height, precision, lowering: CPU_LOWERING, block });
      sessions[precision] = await ort.InferenceSession.create(bytes, cpuSessionOptions(threads));
      feeds = Object.fromEntries(inputs.map((name) => [name, tensor]));
      await sessions[precision].run(feeds);
    }
    for (let run = 0; run < Number(values.runs); run++) {
      for (const [precision, session] of Object.entries(sessions)) {
        const start = performance.now();
        await session.run(feeds);
        times[precision].push(performance.now() - start);
      }
    }
    for (const session of Object.values(sessions)) await session.release();
    const [fp32, int8] = [median(times.fp32), median(times.int8)];
    const what = `${model.name} ${width}x${height}, ${threads} threads, median of ${values.runs}`;
    console.log(
      `${what}: fp32 ${fp32.toFixed(0)} ms, int8 ${int8.toFixed(0)} ms, ${(fp32 / int8).toFixed(2)} times as fast`,
    );
  }
}

async function measureLoss() {
  const folder = mkdtempSync(join(tmpdir(), 'flavr-int8-'));
  try {
    const file = join(folder, 'calibration.json');
    execFileSync(process.execPath, ['dist/cli/main.js', 'calibrate', values.calibrate, '-o', file]);
    const calibration = await readCalibration(file);
    for (const data of videos) {
      const methods = [
        await modelMethod(mini, { name: 'fp32', backend: 'cpu', threads }),
        await modelMethod(mini, { name: 'int8', backend: 'cpu', threads, precision: 'int8', calibration }),
      ];
      const report = await evaluateMethods({ dataset: 'video', data, methods, factor: 2, limit: Number(values.limit) });
      for (const method of methods) await method.close();
      const [fp32, int8] = report.sets[0].methods.map(({ psnr }) => psnr);
      console.log(
        `${basename(data)}, ranges of ${basename(values.calibrate)}: fp32 ${fp32.toFixed(2)} dB, int8 ${(int8 - fp32).toFixed(3)} dB`,
      );
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
}
