// How much of its time the slowest stage works when the engine takes 2 ms: everything around the engine must hide behind
// it. On the simulated device: it says nothing about FLAVR's speed on a GPU.
// Usage: npm run build && node --expose-gc scripts/bench/pipeline.mjs [--windows 3000] [--growth 100000] [--json]
import { readdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { parseArgs } from 'node:util';
import { tensorRtBackend } from '../../dist/backends/tensorrt.js';
import { Interpolator } from '../../dist/interpolator.js';
import { buildNativeTest } from '../native-tests.mjs';

const { values } = parseArgs({
  options: {
    windows: { type: 'string', default: '3000' },
    growth: { type: 'string', default: '100000' },
    json: { type: 'boolean', default: false },
  },
});
const addon = createRequire(import.meta.url)(await buildNativeTest('plain', 'flavr'));
const { simulator } = addon;

// Small frames, so that the simulation's own arithmetic costs nothing; the times are those of a 1080p frame (6.2 MB at
// 25 GB/s) and of an engine as fast as the fastest we expect.
const [WIDTH, HEIGHT] = [32, 8];
const COPY_US = 250;
const ENGINE_US = 2000;

function open(computeUs, options = {}) {
  const backend = tensorRtBackend('tensorrt', {
    addon: () => addon,
    unavailable: async () => undefined,
    engine: async ({ batch }, factor) => {
      const size = { width: WIDTH, height: HEIGHT };
      return {
        plan: simulator.plan({ inputs: 4, batch, factor, ...size, activationBytes: 256, computeUs }),
        library: 'simulated',
        kernelCache: '',
      };
    },
  });
  const model = {
    kind: 'graph',
    inputs: 4,
    factor: 2,
    height: 1,
    width: 1,
    bytes: new Uint8Array(),
    name: '',
    hash: '',
    metadata: {},
  };
  return Interpolator.openOn(backend, model, { width: WIDTH, height: HEIGHT, ...options });
}

/** Frames as a decoder gives them: into memory that the device reads, given back by the loop below. */
function* frames(flavr, count) {
  for (let i = 0; i < count; i++) yield flavr.allocFrame();
}

async function run(flavr, windows, onFrame) {
  for await (const frame of flavr.stream(frames(flavr, windows + 1), 2)) {
    flavr.release(frame);
    onFrame?.();
  }
}

/** Time on a processor, in microseconds, of the JavaScript thread and of a session's own two. Linux only. */
function hostUs() {
  const sum = { javascript: 0, enqueue: 0, wait: 0 };
  for (const task of readdirSync('/proc/self/task')) {
    const read = (name) => readFileSync(`/proc/self/task/${task}/${name}`, 'utf8');
    const name = Number(task) === process.pid ? 'javascript' : read('comm').trim().replace('flavr-', '');
    if (name in sum) sum[name] += Number(read('schedstat').split(' ')[0]) / 1000;
  }
  return sum;
}

const hostUsPerWindow = (before, windows) =>
  Object.fromEntries(Object.entries(hostUs()).map(([name, us]) => [name, (us - before[name]) / windows]));

async function efficiency(windows) {
  simulator.set({ copyLatencyUs: COPY_US });
  const flavr = await open(ENGINE_US, { inFlight: 3 });
  await run(flavr, 200);
  const before = { ...simulator.gauges(), copies: flavr.stats() };
  const host = hostUs();
  const started = performance.now();
  await run(flavr, windows);
  const wallMs = performance.now() - started;
  const used = hostUsPerWindow(host, windows);
  const after = simulator.gauges();
  const stats = flavr.stats();
  // Measured apart: its timer wakes the thread every millisecond.
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await run(flavr, windows);
  delay.disable();
  await flavr.dispose();
  const busy = (name) => (after[name] - before[name]) / 1000 / wallMs;
  return {
    windows,
    busyUp: busy('upUs'),
    busyCompute: busy('computeUs'),
    busyDown: busy('downUs'),
    hostUsPerWindow: used,
    // The histogram holds the time between ticks of a 1 ms timer.
    eventLoopDelayP99Ms: delay.percentile(99) / 1e6 - 1,
    hostCopies: stats.hostCopiesIn + stats.hostCopiesOut - before.copies.hostCopiesIn - before.copies.hostCopiesOut,
  };
}

async function memory() {
  // Finalizers of collected frames run in later turns of the event loop.
  for (let i = 0; i < 10; i++) {
    globalThis.gc();
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that stay per window over the second half. */
async function growth(windows) {
  if (!globalThis.gc) throw new Error('Run node with --expose-gc.');
  simulator.set({ copyLatencyUs: 0 });
  const flavr = await open(0);
  const half = windows / 2;
  await run(flavr, half);
  const middle = await memory();
  const host = hostUs();
  await run(flavr, half);
  const used = hostUsPerWindow(host, half);
  const end = await memory();
  await flavr.dispose();
  return { windows, bytesPerWindow: (end - middle) / half, hostUsPerWindow: used };
}

const result = { efficiency: await efficiency(Number(values.windows)), growth: await growth(Number(values.growth)) };
if (values.json) {
  console.log(JSON.stringify(result));
} else {
  const percent = (share) => `${(share * 100).toFixed(1)} %`;
  const { efficiency: e, growth: g } = result;
  console.log(`simulated engine of ${ENGINE_US} us, copies of ${COPY_US} us, ${e.windows} windows`);
  console.log(
    `busy: up ${percent(e.busyUp)}, compute ${percent(e.busyCompute)}, down ${percent(e.busyDown)}   (slowest: at least 97 %)`,
  );
  const times = (host) =>
    Object.entries(host)
      .map(([name, us]) => `${name} ${us.toFixed(1)}`)
      .join(', ');
  console.log(`host time per window, in us: ${times(g.hostUsPerWindow)}   (JavaScript: under 50)`);
  console.log(`  the same at this pace, with waking up from idle ${e.windows} times: ${times(e.hostUsPerWindow)}`);
  console.log(`event-loop delay, p99: ${e.eventLoopDelayP99Ms.toFixed(2)} ms   (under 2)`);
  console.log(`host copies: ${e.hostCopies}`);
  console.log(
    `memory kept per window over the last half of ${g.windows}: ${g.bytesPerWindow.toFixed(3)} bytes   (under 1)`,
  );
}
