// How much longer a video takes than its windows take through the model alone, and where the time goes. Both in turn, in
// one run: (a) frames that lie decoded in memory, through `streamTimed`, outputs given back; (b) the file, through
// `interpolateVideo`. Both start from a model that was just opened. Two ratios: of the whole times, in which whatever
// another program took counts, and of the median times from one new frame to the next, in which it hardly does.
// Usage: npm run build && node scripts/bench/video-path.mjs [FILE] [--duration 2] [--start 0] [-k 2] [--rounds 3]
//          [--model mini-2x] [--threads N] [--output EXTENSION] [--json]
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readEnvironment } from '../../dist/bench/environment.js';
import { Interpolator, parseRational } from '../../dist/index.js';
import { CutDetector } from '../../dist/video/cuts.js';
import { interpolateVideo } from '../../dist/video/index.js';
import { openSource } from '../../dist/video/source.js';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    duration: { type: 'string', default: '2' },
    start: { type: 'string', default: '0' },
    k: { type: 'string', short: 'k', default: '2' },
    rounds: { type: 'string', default: '3' },
    model: { type: 'string', default: 'mini-2x' },
    threads: { type: 'string' },
    output: { type: 'string', default: 'mp4' },
    json: { type: 'boolean', default: false },
  },
});
const input = positionals[0] ?? 'samples/bunny.mp4';
const k = Number(values.k);
const threads = values.threads === undefined ? undefined : Number(values.threads);
const run = { model: values.model, backend: 'cpu', threads };
const range = { start: parseRational(values.start, '--start'), duration: parseRational(values.duration, '--duration') };

async function decode() {
  const source = await openSource(input, range);
  try {
    const { width, height } = source.info;
    const detector = new CutDetector(width, height);
    const [frames, cuts] = [[], []];
    for await (const { data, time, duration } of source.frames()) {
      if (detector.next(data).cut) cuts.push(frames.length);
      frames.push({ data, time, duration });
    }
    return { width, height, frames, cuts };
  } finally {
    await source.close();
  }
}

// When each new frame came. Both ways go through this.
let arrivals = [];
const { streamTimed } = Interpolator.prototype;
Interpolator.prototype.streamTimed = async function* (...words) {
  arrivals = [];
  for await (const output of streamTimed.apply(this, words)) {
    if (!output.original) arrivals.push(performance.now());
    yield output;
  }
};

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const medianStep = () => median(arrivals.slice(1).map((time, i) => time - arrivals[i]));

/** Elapsed time, and what this process (not the model's) used of the processor meanwhile. */
async function measure(work) {
  const [started, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { ms: performance.now() - started, cpuMs: (user + system) / 1000 };
}

async function modelAlone({ width, height, frames, cuts }) {
  const flavr = await Interpolator.open({ ...run, width, height, k, onNotice: () => {} });
  const time = await measure(async () => {
    for await (const { data } of flavr.streamTimed(frames, { k, cuts })) flavr.release(data);
  });
  const { windows, inferMs } = flavr.stats();
  await flavr.dispose();
  return { ...time, windows, inferMs, stepMs: medianStep() };
}

async function wholePath(output) {
  let summary;
  const { cpuMs } = await measure(async () => {
    summary = await interpolateVideo(input, output, { ...run, ...range, k, overwrite: true, yieldToModel: true });
  });
  const { timings, windows } = summary;
  return { ms: timings.totalMs, cpuMs, windows, inferMs: timings.model.totalMs, stepMs: medianStep(), timings };
}

const clip = await decode();
const folder = mkdtempSync(join(tmpdir(), 'flavr-path-'));
const rounds = [];
try {
  for (let round = 0; round < Number(values.rounds); round++) {
    const model = await modelAlone(clip);
    const path = await wholePath(join(folder, `out.${values.output}`));
    if (model.windows !== path.windows) throw new Error(`${model.windows} windows against ${path.windows}`);
    rounds.push({ model, path, ratio: path.ms / model.ms, stepRatio: path.stepMs / model.stepMs });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

const { width, height, frames } = clip;
const { windows } = rounds[0].model;
const ratio = median(rounds.map((round) => round.ratio));
const stepRatio = median(rounds.map((round) => round.stepRatio));
const middle = rounds.find((round) => round.ratio === ratio);
if (values.json) {
  console.log(
    JSON.stringify({ environment: readEnvironment(), width, height, windows, ratio, stepRatio, rounds }, undefined, 2),
  );
} else {
  const { processor, cores, node } = readEnvironment();
  const each = (ms) => (ms / windows).toFixed(1).padStart(7);
  const { model, path } = middle;
  console.log(`${processor}, ${cores} cores, Node ${node}`);
  console.log(`${width}x${height}, ${frames.length} frames, ${windows} windows of ${values.model}, k = ${k}`);
  console.log('in ms a window:        elapsed  in the model  processor (without the model)');
  for (const [name, { ms, inferMs, cpuMs }] of [
    ['model alone', model],
    ['whole path', path],
  ]) {
    console.log(`${name.padEnd(22)} ${each(ms)}       ${each(inferMs)}        ${each(cpuMs)}`);
  }
  for (const [name, { msEach, share, totalMs }] of Object.entries(path.timings).filter(([, { msEach }]) => msEach)) {
    console.log(`  ${name.padEnd(20)} ${each(totalMs)}  ${msEach.toFixed(1)} ms each, ${(share * 100).toFixed(1)} %`);
  }
  const all = (name) => rounds.map((round) => round[name].toFixed(3)).join(' ');
  console.log(`ratio of the whole times ${ratio.toFixed(3)} (goal: at most 1.05); all: ${all('ratio')}`);
  console.log(`ratio of the median times from frame to frame ${stepRatio.toFixed(3)}; all: ${all('stepRatio')}`);
}
