// The GPU check's own logic, on the simulated device: what it finds, not what FLAVR or a GPU does. No line here is a GPU
// result. The real program can only be asked here what it says where there is no GPU.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { buildGraph } from '../../ts/model/graph/build.js';
import type { GraphForm, GraphSpec } from '../../ts/model/graph-spec.js';
import { noiseFrames, ruleModel } from '../graph/support.js';
import { CheckFolder, type CheckGraph, hollowGraph } from '../support/check-gpu.js';
import { compileDriver, compileLibrary, temporaryFolder } from './support.js';

const GAIN = 1.25;
const WIDTH = 24;
const HEIGHT = 16;
const INPUTS = 4;
const FACTOR = 3;

const temporary = temporaryFolder();
const newFolder = (): string => mkdtempSync(join(temporary, 'check-'));

const hasTools = spawnSync('cmake', ['--version']).status === 0;
const program = hasTools ? await buildProgram() : '';

function simTest(name: string, run: () => void | Promise<void>): void {
  if (hasTools) return void test(`simulated: ${name}`, run);
  console.log(`SKIPPED ${name}: there is no cmake on PATH`);
  test.skip(name, run);
}

async function buildProgram(): Promise<string> {
  const { buildNativeTest } = await import(pathToFileURL(resolve('scripts/native-tests.mjs')).href);
  return buildNativeTest('plain', 'check_gpu_sim');
}

interface Run {
  readonly status: number | null;
  readonly text: string;
  // biome-ignore lint/suspicious/noExplicitAny: a document whose shape the assertions state
  readonly result: any;
}

function run(folder: string, env: Record<string, string> = {}, args: readonly string[] = []): Run {
  const options = ['--soak', '300', '--seconds', '0.2', ...args];
  const { status, stdout, stderr } = spawnSync(program, [folder, ...options], {
    encoding: 'utf8',
    env: { ...process.env, ...env },
  });
  const file = join(folder, 'result.json');
  const result = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
  return { status, text: stdout + stderr, result };
}

/** What the simulator's engine makes of a window, in bytes (native/sim/network.h). */
function simulated(frames: readonly Uint8Array[]): Float32Array {
  const size = frames[0]!.length;
  return Float32Array.from({ length: (FACTOR - 1) * size }, (_, at) => {
    const output = Math.floor(at / size);
    const sum = frames.reduce((total, frame, i) => total + (2 * i + 3) * frame[at % size]!, 29 * (output + 1));
    return (sum & 255) / 255;
  });
}

interface Content {
  readonly frames?: readonly Uint8Array[];
  readonly expected?: (right: Float32Array) => Float32Array;
}

/** A folder for the simulated machine: one vector in both precisions and lowerings, one timing. */
function prepared({ frames = noiseFrames(INPUTS, HEIGHT, WIDTH), expected = (right) => right }: Content = {}): string {
  const path = newFolder();
  const folder = new CheckFolder(path);
  const size = { width: WIDTH, height: HEIGHT };
  const right = expected(simulated(noiseFrames(INPUTS, HEIGHT, WIDTH)));
  folder.addVector({ name: 'sum', ...size, factor: FACTOR, frames, expected: right });
  const model = ruleModel(8, { factor: FACTOR });
  for (const precision of ['fp16', 'fp32'] as const) {
    for (const lowering of ['3d', '2d'] as const) {
      const soak = precision === 'fp16' && lowering === '3d';
      const about = { precision, lowering, ...size };
      const add = (name: string, purpose: CheckGraph['purpose'], form: GraphForm) => {
        const graph = hollowGraph(model, { ...about, form }, GAIN);
        folder.addGraph({ ...about, ...graph, name, vector: 'sum', purpose, factor: FACTOR, inputs: INPUTS });
      };
      add(`raw-${precision}-${lowering}`, 'raw', 'raw');
      add(`sum-${precision}-${lowering}`, soak ? 'soak' : 'vector', 'ring');
      if (soak) add('timing', 'timing', 'ring');
    }
  }
  folder.finish();
  return path;
}

for (const lowering of ['3d', '2d'] as const) {
  for (const precision of ['fp32', 'fp16'] as const) {
    simTest(`a ${lowering} ${precision} graph without its weights becomes the same bytes again`, () => {
      const spec: GraphSpec = { width: 32, height: 48, lowering, precision };
      const model = ruleModel(16, { factor: 8 });
      const whole = buildGraph(model, spec).bytes;
      const { bytes: hollow } = hollowGraph(model, spec, GAIN);
      const folder = newFolder();
      writeFileSync(join(folder, 'hollow.graph'), hollow);
      const made = join(folder, 'whole.onnx');
      const { status, stderr } = spawnSync(program, ['--assemble', join(folder, 'hollow.graph'), made]);
      assert.is(status, 0, String(stderr));
      assert.ok(readFileSync(made).equals(whole));
      assert.ok(hollow.length < whole.length / 4, `${hollow.length} of ${whole.length} bytes`);
    });
  }
}

simTest('right frames pass, and the file says that they are no figures of a GPU', () => {
  const { status, text, result } = run(prepared());
  assert.is(status, 0, text);
  assert.match(text, /^SIMULATED: .*nothing of a GPU/m);
  assert.match(text, /^SIMULATED, no result of a GPU: passed$/m);
  assert.is(result.outcome, 'passed');
  assert.is(result.simulated, true);
  assert.match(result.flavr, /^\d+\.\d+\.\d+/);
  assert.equal(result.failures, []);
  assert.is(result.engines.length, 9);
  assert.equal(
    result.vectors.map((each: { graph: string; largest: number }) => [each.graph, each.largest]),
    ['fp16-3d', 'fp16-2d', 'fp32-3d', 'fp32-2d'].map((name) => [`sum-${name}`, 0]),
  );
  assert.equal(
    result.floats.map((each: { graph: string; passed: boolean }) => [each.graph, each.passed]),
    ['fp16-3d', 'fp16-2d', 'fp32-3d', 'fp32-2d'].map((name) => [`raw-${name}`, true]),
  );
  // What float32 leaves of a byte / 255.
  assert.ok(result.vectors.every((each: { psnr: number }) => each.psnr > 150));
  assert.equal(
    result.lowerings.map((each: { precision: string; largest: number }) => [each.precision, each.largest]),
    [
      ['fp16', 0],
      ['fp32', 0],
    ],
  );
  assert.ok(
    result.replays.every((each: { graphs: number; different: number }) => each.graphs > 0 && each.different === 0),
  );
  assert.is(result.soaks[0].windows, 300);
  assert.equal(
    result.precisions.map((each: { lowering: string; largest: number }) => [each.lowering, each.largest]),
    [
      ['2d', 0],
      ['3d', 0],
    ],
  );
  assert.equal([result.graphs, result.examined, result.running], [9, 9, undefined]);
});

simTest('a timing has rates with and without graphs, the busy share, operations, and memory beside its plan', () => {
  const { status, result } = run(prepared(), { FLAVR_SIM_COMPUTE_US: '2000' }, ['--only', 'timing']);
  assert.is(status, 0);
  const [timing] = result.throughput;
  assert.ok(Math.abs(timing.newFramesPerSecond / timing.callsPerSecond - (FACTOR - 1)) < 1e-4);
  assert.ok(timing.medianMs > 0 && timing.p99Ms >= timing.medianMs);
  assert.ok(timing.computeMs >= 2 && timing.busyShare > 0 && timing.busyShare < 1.05, JSON.stringify(timing));
  assert.ok(timing.graphs > 0 && timing.plainCallsPerSecond > 0);
  const spec = { width: WIDTH, height: HEIGHT, lowering: '3d', precision: 'fp16', form: 'ring' } as const;
  const { flops } = hollowGraph(ruleModel(8, { factor: FACTOR }), spec, GAIN);
  assert.ok(Math.abs((timing.teraflops * 1e12) / (timing.callsPerSecond * flops) - 1) < 1e-4);
  // The simulator keeps nothing on the device but what sessions take, and graphs take none of it.
  assert.is(timing.plannedBytes - timing.takenBytes, 32 * 2 ** 20);
});

simTest('a check of some graphs passes in part only, and says of which', () => {
  const { status, text, result } = run(prepared(), {}, ['--only', 'sum-fp32']);
  assert.is(status, 0);
  assert.match(text, /^SIMULATED, no result of a GPU: passed in part$/m);
  assert.equal([result.outcome, result.settings.only], ['passed in part', 'sum-fp32']);
  assert.equal([result.graphs, result.examined], [9, 2]);
});

simTest('what was found before the process is killed is in the file, which says that it is unfinished', async () => {
  const folder = prepared();
  const file = join(folder, 'result.json');
  const read = () => JSON.parse(readFileSync(file, 'utf8'));
  // Minutes in its second graph, the first that runs on the device.
  const env = { ...process.env, FLAVR_SIM_COMPUTE_US: '200000' };
  const child = spawn(program, [folder, '--soak', '1000'], { env, stdio: 'ignore' });
  const ended = once(child, 'exit');
  while (child.exitCode === null && !(existsSync(file) && read().running === 'sum-fp16-3d')) await setTimeout(20);
  child.kill('SIGKILL');
  assert.equal(await ended, [null, 'SIGKILL']);
  const result = read();
  assert.equal([result.outcome, result.running], ['unfinished', 'sum-fp16-3d']);
  assert.equal(
    result.floats.map((each: { graph: string }) => each.graph),
    ['raw-fp16-3d'],
  );
});

simTest('a result that cannot be written is told before anything runs', () => {
  const { status, text } = run(prepared(), {}, ['--out', '/nowhere/result.json']);
  assert.is(status, 1);
  assert.match(text, /\/nowhere\/result\.json cannot be written/);
  assert.not.match(text, /^built/m);
});

simTest('a byte that is off by one is within fp16, and not within fp32', () => {
  const nudge = (right: Float32Array) => right.map((x, i) => (i === 100 ? x + (x > 0.5 ? -1 : 1) / 255 : x));
  const { status, result } = run(prepared({ expected: nudge }));
  assert.is(status, 1);
  assert.is(result.outcome, 'failed');
  assert.equal(
    result.vectors.map((each: { passed: boolean }) => each.passed),
    [true, true, false, false],
  );
  assert.match(result.failures.join('\n'), /^sum-fp32-3d: the vector's frames are off, .*at most 1 in a byte/m);
});

simTest('floats are held to 2e-4 in fp32, which bytes cannot show', () => {
  const shift = (right: Float32Array) => right.map((x) => x + (x > 0.5 ? -3e-4 : 3e-4));
  const { result } = run(prepared({ expected: shift }));
  assert.equal(
    result.floats.map((each: { passed: boolean }) => each.passed),
    [true, true, false, false],
  );
  assert.ok(Math.abs(result.floats[0].largest - 3e-4) < 1e-6);
  assert.ok(Math.abs(result.floats[0].psnr - -20 * Math.log10(3e-4)) < 0.01);
  assert.ok(result.vectors.every((each: { passed: boolean }) => each.passed));
  assert.match(result.failures[0], /^raw-fp32-3d: the vector's floats are off/);
});

simTest('the rounding to bytes counts as error, and only as much as it is', () => {
  const shift = (right: Float32Array) => right.map((x) => x + (x > 0.5 ? -0.4 : 0.4) / 255);
  const { result } = run(prepared({ expected: shift }));
  assert.ok(result.vectors.every((each: { passed: boolean }) => each.passed));
  const [{ psnr, farthest, largest }] = result.vectors;
  assert.ok(Math.abs(psnr - 20 * Math.log10(255 / 0.4)) < 0.001, String(psnr));
  assert.ok(Math.abs(farthest - 0.4) < 0.001);
  assert.is(largest, 0);
});

simTest('frames one step off everywhere have 48 dB and fail in fp16', () => {
  const shift = (right: Float32Array) => right.map((x) => x + (x > 0.5 ? -1 : 1) / 255);
  const { status, result } = run(prepared({ expected: shift }));
  assert.is(status, 1);
  assert.ok(Math.abs(result.vectors[0].psnr - 48.13) < 0.01, String(result.vectors[0].psnr));
  assert.match(result.failures.join('\n'), /^sum-fp16-3d: /m);
});

simTest('a vector whose frames are in another order is caught', () => {
  const [a, b, c, d] = noiseFrames(INPUTS, HEIGHT, WIDTH);
  const { status, result } = run(prepared({ frames: [a!, c!, b!, d!] }));
  assert.is(status, 1);
  assert.is(result.failures.length, 8);
});

// By the order of runs on one graph: 1 for the vector, 64 plain ones and a few captures for the replays, then the soak.
for (const [occasion, what] of [
  [30, /^sum-fp16-3d: 1 windows differ between replayed and plain runs$/],
  [70, /^sum-fp16-3d: \d+ windows differ between replayed and plain runs$/],
  [95, /^sum-fp16-3d: \d+ of 300 windows of the soak differ/],
] as const) {
  simTest(`one wrong run, the ${occasion}th, is caught`, () => {
    const { status, result } = run(prepared(), { FLAVR_SIM_WRONG_RUN: String(occasion) }, ['--only', 'sum-fp16-3d']);
    assert.is(status, 1);
    assert.match(result.failures.join('\n'), what);
  });
}

simTest('runs that cannot be captured are told', () => {
  const { status, result } = run(prepared(), { FLAVR_SIM_CAPTURE_FAILURE: '1' });
  assert.is(status, 1);
  assert.match(result.failures.join('\n'), /no run was captured into a graph/);
});

simTest('a device that is lost ends what runs, and every step after it says so', () => {
  const { status, result } = run(prepared(), { FLAVR_SIM_DEVICE_LOST: '2000' });
  assert.is(status, 1);
  assert.match(result.failures.join('\n'), /The simulated device was lost/);
});

simTest('without a device the check is skipped with the reason and exit code 0', () => {
  const { status, text, result } = run(prepared(), { FLAVR_SIM_ABSENT: '1' });
  assert.is(status, 0);
  assert.match(text, /^SKIPPED: The simulated machine has no device\.$/m);
  assert.equal([result.outcome, result.reason], ['skipped', 'The simulated machine has no device.']);
  assert.is(result.vectors, undefined);
});

simTest('a graph that was damaged on its way is not built', () => {
  const folder = prepared();
  const file = join(folder, 'sum-fp32-2d.graph');
  const bytes = readFileSync(file);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(file, bytes);
  const { status, result } = run(folder);
  assert.is(status, 1);
  assert.match(result.failures[0], /sum-fp32-2d\.graph does not make the graph that was prepared/);
});

simTest('a folder that lacks a file, or is none, is a usage error', () => {
  const folder = prepared();
  writeFileSync(join(folder, 'sum.expected'), new Uint8Array(12));
  const short = run(folder);
  assert.is(short.status, 2);
  assert.match(short.text, /sum\.expected should have \d+ bytes and has 12/);
  const none = run(newFolder());
  assert.is(none.status, 2);
  assert.match(none.text, /manifest\.txt cannot be read/);
});

for (const [args, message] of [
  [[], /The prepared folder is expected/],
  [['a', 'b'], /One folder is expected; got a and b\./],
  [['a', '--soak'], /--soak needs a value/],
  [['a', '--seconds', 'long'], /--seconds takes a number from 0 up; got long/],
  [['a', '--fast', '1'], /There is no option --fast/],
] as const) {
  simTest(`the arguments [${args.join(' ')}] are a usage error`, () => {
    const { status, stderr } = spawnSync(program, args, { encoding: 'utf8' });
    assert.is(status, 2);
    assert.match(stderr, message);
    assert.match(stderr, /^usage: /m);
  });
}

simTest('a name that no graph has is a failure, not an empty pass', () => {
  const { status, text } = run(prepared(), {}, ['--only', 'nothing']);
  assert.is(status, 1);
  assert.match(text, /no graph's name contains nothing/);
});

const REAL = 'build/Release/flavr-check-gpu';

/** What the real program says of a folder with a graph that it never gets to, and what it wrote. */
function runReal(env: Record<string, string>): Run {
  const folder = newFolder();
  writeFileSync(join(folder, 'manifest.txt'), 'flavr-check-gpu 2\ngraph g - timing fp16 3d 8 8 2 4 1000 g.graph\n');
  const { status, stdout, stderr } = spawnSync(REAL, [folder], { encoding: 'utf8', env: { ...process.env, ...env } });
  return { status, text: stdout + stderr, result: JSON.parse(readFileSync(join(folder, 'result.json'), 'utf8')) };
}

if (existsSync(REAL)) {
  test('the real program without driver or TensorRT says that it was skipped, and why', () => {
    const { status, text, result } = runReal({ FLAVR_TENSORRT_PATH: '/nowhere' });
    assert.is(status, 0, text);
    assert.match(text, /^SKIPPED: (No NVIDIA driver was found|No TensorRT library was found that runs here)/m);
    assert.is(result.outcome, 'skipped');
  });

  test('the real program does not take TensorRT-RTX on a GPU that it does not run on', () => {
    const folder = newFolder();
    compileDriver(folder, {
      cuDeviceGetCount: 'int cuDeviceGetCount(int* n) { *n = 1; return 0; }',
      cuDeviceGetName: 'int cuDeviceGetName(char* s, int n, int d) { strncpy(s, "Stand-in", n); return 0; }',
      cuDeviceGetAttribute: 'int cuDeviceGetAttribute(int* v, int a, int d) { *v = a == 75 ? 9 : 0; return 0; }',
    });
    compileLibrary(join(folder, 'libtensorrt_rtx.so.1'), 'int getInferLibVersion() { return 10701; }');
    const { status, text, result } = runReal({ LD_LIBRARY_PATH: folder, FLAVR_TENSORRT_PATH: folder });
    assert.is(status, 0, text);
    assert.is(result.outcome, 'skipped');
    assert.match(result.reason, /TensorRT-RTX does not run on compute capability 9\.0/);
  });
} else {
  console.log(`SKIPPED the real program: ${REAL} is not there; make it with: npm run build:native`);
  test.skip('the real program says that it was skipped');
}

test.run();
