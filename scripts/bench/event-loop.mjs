// Delay of the event loop, memory and threads while windows run on the CPU, for one size of frames.
// Usage: npm run build && node --expose-gc scripts/bench/event-loop.mjs [WIDTHxHEIGHT] [SECONDS]
import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Interpolator } from '../../dist/index.js';

const [width, height] = (process.argv[2] ?? '480x270').split('x').map(Number);
const seconds = Number(process.argv[3] ?? 20);
const MiB = 2 ** 20;

function* frames(until) {
  for (let n = 0; Date.now() < until; n++) {
    const frame = new Uint8Array(width * height * 3);
    for (let i = 0; i < frame.length; i++) frame[i] = (i + 5 * n) & 255;
    yield frame;
  }
}

const flavr = await Interpolator.open({ width, height, onNotice: () => {} });
const delay = monitorEventLoopDelay({ resolution: 1 });
let count = 0;
for await (const frame of flavr.stream(frames(Date.now() + 1000), 2)) flavr.release(frame);
delay.enable();
for await (const frame of flavr.stream(frames(Date.now() + 1000 * seconds), 2)) {
  count++;
  flavr.release(frame);
}
delay.disable();
const { windows, inferMs } = flavr.stats();
await flavr.dispose();

const ms = (nanoseconds) => (nanoseconds / 1e6).toFixed(1);
console.log(
  `NOTE ${width}x${height}, ${count} frames in ${seconds} s, ${(inferMs / windows).toFixed(0)} ms per window`,
);
console.log(
  `NOTE event-loop delay: p50 ${ms(delay.percentile(50))} ms, p99 ${ms(delay.percentile(99))} ms, max ${ms(delay.max)} ms`,
);

const threads = () => readdirSync('/proc/self/task').length;
const used = () => {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};
let before;
for (let i = 0; i <= 10; i++) {
  // The first round loads what every later one uses.
  if (i === 1) before = { threads: threads(), used: used() };
  const opened = await Interpolator.open({ width: 64, height: 64, onNotice: () => {} });
  const aborted = AbortSignal.timeout(20);
  const clip = Array.from({ length: 20 }, () => new Uint8Array(64 * 64 * 3));
  await opened.interpolate(clip, 2, { signal: aborted }).catch(() => {});
  await opened.dispose();
}
const grown = ((used() - before.used) / MiB).toFixed(1);
console.log(
  `NOTE ten times open, abort, close: ${threads() - before.threads} threads and ${grown} MiB in use more than before`,
);
