// One way in which a process with sessions may end, named by the first argument; the second is the path of the addon on
// the simulated device. Started by session-lifecycle.test.ts, which looks at exit code and signal.
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { Interpolator } from '../../ts/interpolator.js';
import { fakeModel } from '../support/fake-backend.js';
import { loadSimulator, type SimulatedAddon, simulatedBackend } from '../support/simulator.js';

const [WIDTH, HEIGHT] = [16, 4];
const clip = (length: number) => Array.from({ length }, (_, i) => new Uint8Array(WIDTH * HEIGHT * 3).fill(i));

function open(addon: SimulatedAddon, computeUs = 2000): Promise<Interpolator> {
  return Interpolator.openOn(simulatedBackend(addon, { computeUs }), fakeModel(2, 4), { width: WIDTH, height: HEIGHT });
}

/** Resolves once windows are on the device and more are queued. */
async function startRunning(addon: SimulatedAddon): Promise<{ flavr: Interpolator; done: Promise<unknown> }> {
  const flavr = await open(addon);
  const done = flavr.interpolate(clip(200), 2);
  while (flavr.stats().windows === 0) await sleep(1);
  return { flavr, done };
}

/** Waits as long as it takes: the test that started this process has a limit for all of it. */
async function collectUntil(done: () => boolean): Promise<void> {
  while (!done()) {
    globalThis.gc!();
    await sleep(5);
  }
}

/** What is alive on the simulated device, and what was done wrong there. */
function leftovers({ simulator }: SimulatedAddon): unknown {
  const { upUs, computeUs, downUs, violations, ...alive } = simulator.gauges();
  return violations.length > 0 ? violations : Object.values(alive).reduce((sum, count) => sum + count, 0);
}

const scenarios: Record<string, (addon: SimulatedAddon) => Promise<unknown>> = {
  async 'ends by itself'(addon) {
    await (await startRunning(addon)).done;
  },
  async 'ends with a session that is idle'(addon) {
    await open(addon);
  },
  async 'process.exit'(addon) {
    await startRunning(addon);
    process.exit(7);
  },
  async 'process.exit while opening'(addon) {
    void open(addon);
    process.exit(7);
  },
  async 'uncaught exception'(addon) {
    await startRunning(addon);
    setTimeout(() => {
      throw new Error('meant to be thrown');
    });
  },
  async 'unhandled rejection'(addon) {
    const { flavr, done } = await startRunning(addon);
    void done;
    await flavr.dispose();
  },
  async 'worker.terminate'(addon) {
    for (let i = 0; i < 100; i++) {
      const worker = new Worker(fileURLToPath(import.meta.url), {
        argv: process.argv.slice(2),
        workerData: { path: process.argv[3] },
      });
      // At any stage: before the addon is loaded, while it opens, while windows run.
      if (i % 2 === 0) await new Promise((resolve) => worker.once('message', resolve));
      await sleep((i % 5) * (i % 2 === 0 ? 2 : 12));
      await worker.terminate();
    }
    return leftovers(addon);
  },
  async 'workers beside the main thread'(addon) {
    const { done } = await startRunning(addon);
    const workers = Array.from(
      { length: 3 },
      () => new Worker(fileURLToPath(import.meta.url), { argv: process.argv.slice(2), workerData: { once: true } }),
    );
    const codes = await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once('exit', resolve))));
    await done;
    return codes;
  },
  async 'loaded twice'(addon) {
    const path = process.argv[3]!;
    const require = createRequire(import.meta.url);
    delete require.cache[require.resolve(path)];
    const again = loadSimulator(path);
    const folder = mkdtempSync(join(tmpdir(), 'flavr-'));
    copyFileSync(path, join(folder, 'copy.node'));
    const copy = loadSimulator(join(folder, 'copy.node'));
    rmSync(folder, { recursive: true });
    const sessions = await Promise.all([addon, again, copy].map((each) => open(each, 100)));
    const results = await Promise.all(sessions.map((flavr) => flavr.interpolate(clip(10), 2)));
    await Promise.all(sessions.map((flavr) => flavr.dispose()));
    return results.map((frames) => frames.length);
  },
  async 'frames and sessions left to the garbage collector'(addon) {
    // A function of its own: what it held is gone from every stack frame once the next one has run.
    const use = async () => (await open(addon, 100)).interpolate(clip(20), 2).then(() => undefined);
    for (let i = 0; i < 5; i++) await use();
    await collectUntil(() => leftovers(addon) === 0);
    return leftovers(addon);
  },
  async 'collection while windows run'(addon) {
    const flavr = await open(addon, 200);
    let count = 0;
    void flavr.interpolate(clip(100), 2).then((frames) => {
      count = frames.length;
    });
    await collectUntil(() => count > 0);
    await flavr.dispose();
    await collectUntil(() => leftovers(addon) === 0);
    return leftovers(addon);
  },
};

async function inWorker(): Promise<void> {
  const addon = loadSimulator(process.argv[3]);
  const { flavr, done } = await startRunning(addon);
  parentPort!.postMessage('running');
  if ((workerData as { once?: boolean }).once) {
    await done;
    await flavr.dispose();
    return;
  }
  for (;;) await flavr.interpolate(clip(50), 2);
}

if (isMainThread) {
  const result = await scenarios[process.argv[2]!]!(loadSimulator(process.argv[3]));
  console.log(JSON.stringify({ result }));
} else {
  await inWorker();
}
