// Builds engines of the published network's shape with the real TensorRT-RTX builder, which needs no GPU, and writes what
// came out as docs/rtx-engines.md. Weights are noise: their values change neither size nor time.
// Usage: npm run build && npm run build:native && node scripts/bench/rtx-engines.mjs
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { untrainedModel } from '../../dist/bench/untrained.js';
import { buildEngine } from '../../dist/engine/build.js';
import { ensureRtx } from '../fetch-rtx.mjs';

const SIZES = [
  [256, 256],
  [512, 512],
  [1280, 720],
  [1920, 1080],
];
const tensorrtPath = ensureRtx();
const rows = [];
let version = '';
for (const factor of [2, 8]) {
  const model = untrainedModel('r18', factor);
  for (const [width, height] of SIZES) {
    for (const lowering of ['3d', '2d']) {
      let started = 0;
      const { header, plan } = await buildEngine(model, {
        backend: 'tensorrt-rtx',
        tensorrtPath,
        width,
        height,
        lowering,
        onProgress: ({ fraction }) => {
          if (fraction !== undefined && started === 0) started = performance.now();
        },
      });
      const seconds = (performance.now() - started) / 1000;
      version = header.version;
      const { parameters, peakActivationBytes } = header.estimate;
      const cells = [
        factor,
        `${width}x${height}`,
        lowering,
        seconds.toFixed(1),
        (plan.byteLength / 1e6).toFixed(1),
        (plan.byteLength / parameters).toFixed(2),
        (peakActivationBytes / 2 ** 20).toFixed(0),
      ];
      console.log(cells.join('  '));
      rows.push(`| ${cells.join(' | ')} |`);
    }
  }
}

writeFileSync(
  'docs/rtx-engines.md',
  `# Engines built by TensorRT-RTX

The full r3d-18 network (42.06 million parameters) in fp16, built by TensorRT-RTX ${version} as portable engines on a machine
without a GPU (${cpus()[0].model.trim()}, ${cpus().length} cores). Made by \`node scripts/bench/rtx-engines.mjs\`.

A build shows that the builder takes the graph; it does not show that the engine runs, since TensorRT-RTX compiles kernels on
the device. The bytes per parameter show that convolution weights are kept in half precision (2 bytes; 4 would be float32).
Peak activation memory is our own estimate from the graph's order of nodes, not a figure of TensorRT's.

| k | frame size | lowering | build, s | engine, MB | bytes per parameter | peak activations (our estimate), MiB |
| --- | --- | --- | --- | --- | --- | --- |
${rows.join('\n')}
`,
);
