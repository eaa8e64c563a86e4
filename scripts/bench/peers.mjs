// Times the network here and in PyTorch, in one run: the same weights, window and thread count, outputs compared first, and
// every round running each once, so that whatever else the machine does falls on all alike. See docs/peers.md.
// Usage: npm run build && node scripts/bench/peers.mjs [SIZE | WxH …] [--threads N] [--runs N] [--model FILE | --factor K]
//   [--python FILE] [--skip NAME …] [--peer-weights FILE] [--json FILE] [--markdown FILE]
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, parse } from 'node:path';
import { parseArgs } from 'node:util';
import { readEnvironment } from '../../dist/bench/environment.js';
import { untrainedModel } from '../../dist/bench/untrained.js';
import { modelFactor } from '../../dist/model/config.js';
import { loadModel } from '../../dist/model/load.js';
import { listPeers } from './peers/list.mjs';
import { measurePeers } from './peers/measure.mjs';
import { makeWindow } from './peers/ours.mjs';
import { chartSize, describeMachine, describeSize, headlines, putBlock, warnings } from './peers/report.mjs';
import { startTorch } from './peers/torch-process.mjs';
import { writeWeights } from './peers/weights.mjs';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    threads: { type: 'string', default: String(availableParallelism()) },
    runs: { type: 'string', default: '5' },
    model: { type: 'string' },
    factor: { type: 'string', default: '2' },
    python: { type: 'string', default: process.env.FLAVR_PYTHON ?? 'python3' },
    skip: { type: 'string', multiple: true, default: [] },
    // Other weights for the peers: shows that the comparison of outputs refuses them.
    'peer-weights': { type: 'string' },
    json: { type: 'string' },
    markdown: { type: 'string' },
  },
});
const threads = Number(values.threads);
const runs = Number(values.runs);
const sizes = (positionals.length > 0 ? positionals : ['128', '256']).map((size) => {
  const [width, height = width] = size.split('x').map(Number);
  return { width, height };
});

const model = values.model === undefined ? untrainedModel('r18', Number(values.factor)) : await loadModel(values.model);
const peerModel = values['peer-weights'] === undefined ? model : await loadModel(values['peer-weights']);
const folder = mkdtempSync(join(tmpdir(), 'flavr-peers-'));
const note = process.stderr.isTTY ? (line) => process.stderr.write(`\r\x1b[K${line}`) : () => {};
const report = { environment: readEnvironment(), instructions: instructionSets(), python: undefined, sizes: [] };
try {
  const weights = join(folder, 'weights.safetensors');
  writeWeights(weights, peerModel);
  for (const { width, height } of sizes) report.sizes.push(await measureSize(weights, width, height));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 1)}\n`);

async function measureSize(weights, width, height) {
  const { frames, floats } = makeWindow(model, width, height);
  const windowFile = join(folder, 'window.f32');
  writeFileSync(windowFile, floats);
  const context = { model, width, height, threads, frames, windowFile, folder };
  const torch = startTorch({ ...context, python: values.python, weights });
  try {
    report.python ??= await torch.ask({ op: 'versions' }).catch(() => undefined);
    const peers = listPeers(context, torch).map((peer) =>
      values.skip.some((name) => peer.name.includes(name)) ? { ...peer, open: leftOut } : peer,
    );
    const rows = await measurePeers(peers, { runs, note });
    note('');
    const size = { model: model.name, factor: modelFactor(model), width, height, threads, runs, rows };
    publish(size);
    return { ...size, headlines: headlines(rows) };
  } finally {
    await torch.close();
  }
}

async function leftOut() {
  throw new Error('left out by --skip');
}

/** Prints a size's result; with --markdown also puts it into that file, and its chart beside it. */
function publish(size) {
  const lines = [...describeSize(size), '', ...warnings(size, report.python), describeMachine(report)];
  console.log(`${lines.join('\n')}\n`);
  if (values.markdown === undefined) return;
  const name = `${size.width}x${size.height}`;
  const { dir, name: stem } = parse(values.markdown);
  const chart = `${stem}-${name}.svg`;
  writeFileSync(join(dir, chart), `${chartSize(size)}\n`);
  // Where else the figures were written changes none of them.
  const given = process.argv.slice(2).filter((word, i, all) => word !== '--json' && all[i - 1] !== '--json');
  const words = given.map((word) => (word.includes(' ') ? `'${word}'` : word));
  const made = `Made on ${new Date().toISOString().slice(0, 10)} by \`node scripts/bench/peers.mjs ${words.join(' ')}\`.`;
  const text = existsSync(values.markdown) ? readFileSync(values.markdown, 'utf8') : '';
  const block = [`![Bars of the same figures](${chart})`, '', ...lines, '', made];
  writeFileSync(values.markdown, putBlock(text, name, block));
}

/** Those that decide the speed of convolutions, where the system tells. */
function instructionSets() {
  if (!existsSync('/proc/cpuinfo')) return process.arch;
  const flags = /^(?:flags|Features)\s*:(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1].split(' ') ?? [];
  const telling = ['avx2', 'avx512f', 'avx512_bf16', 'avx512_vnni', 'amx_bf16', 'asimd', 'sve', 'bf16'];
  return [process.arch, ...telling.filter((name) => flags.includes(name))].join(' ');
}
