// Every way in which a process can end while the addon works: with the exit code that is due, and by no signal.
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { RTX_FOLDER, temporaryFolder, testWith } from './support.js';

const withRtx = testWith(test, 'addon', 'rtx');

const ADDON = JSON.stringify(resolve('build/Release/flavr.node'));
const START = `
const { createRequire } = await import('node:module');
const { Worker } = await import('node:worker_threads');
const addon = createRequire(import.meta.url)(${ADDON});
const { buildGraph } = await import(${JSON.stringify(resolve('.test-build/ts/model/graph/build.js'))});
const { goldenModel } = await import(${JSON.stringify(resolve('.test-build/test/graph/support.js'))});
const { buildRequest } = await import(${JSON.stringify(resolve('.test-build/test/native/support.js'))});
const model = buildGraph((await goldenModel('tiny8-k2')).model, { width: 64, height: 48 }).bytes;
const library = ${JSON.stringify(join(RTX_FOLDER, 'libtensorrt_rtx.so.1'))};
const start = (onProgress = () => {}) => addon.build(buildRequest({ library, model }), onProgress);
`;

function run(body: string, ...flags: string[]) {
  const child = spawnSync(process.execPath, [...flags, '--input-type=module', '-e', START + body], {
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { code: child.status, signal: child.signal, stdout: child.stdout, stderr: child.stderr };
}

function ends(body: string, code: number, ...flags: string[]) {
  const ended = run(body, ...flags);
  assert.equal([ended.code, ended.signal], [code, null], ended.stderr);
  return ended;
}

withRtx('a process that only waits for its build ends when the build does', () => {
  assert.match(ends('start().done.then(({ plan }) => console.log(plan.length))', 0).stdout, /^\d+\n$/);
});

withRtx('process.exit during a build', () => {
  ends('start(() => process.exit(7)).done.catch(() => {})', 7);
});

withRtx('an uncaught exception during a build', () => {
  ends("start(() => setImmediate(() => { throw new Error('uncaught'); })).done.catch(() => {})", 1);
});

withRtx('process.exit with builds that have only begun', () => {
  ends('for (let i = 0; i < 3; i++) start(); process.exit(5)', 5);
});

const worker = join(temporaryFolder(), 'worker.cjs');
writeFileSync(
  worker,
  `const { parentPort, workerData } = require('node:worker_threads');
  const addon = require(workerData.path);
  const tell = () => parentPort.postMessage('here');
  if (workerData.request) addon.build(workerData.request, tell).done.catch(() => {});
  else addon.probe([]).then(tell);`,
);
const START_WORKER = `
const startWorker = (request) => new Worker(${JSON.stringify(worker)}, { workerData: { path: ${ADDON}, request } });
`;

withRtx('process.exit while libraries are being opened', () => {
  for (let i = 0; i < 5; i++) ends('addon.probe([library]); start(); process.exit(5)', 5);
});

withRtx('a build that another listener of exit begins does not run', () => {
  ends("process.on('exit', () => start()); process.exit(5)", 5);
});

withRtx('the addon in a worker and in the main thread is one library with two environments', () => {
  const body = `${START_WORKER}
    const worker = startWorker();
    await new Promise((done) => worker.once('message', done));
    await Promise.all([addon.probe([]), worker.terminate()]);
    console.log('both')`;
  assert.is(ends(body, 0).stdout, 'both\n');
});

withRtx('a worker that is terminated during a build, a hundred times', () => {
  const body = `${START_WORKER}
    for (let i = 0; i < 100; i++) {
      const worker = startWorker(buildRequest({ library, model }));
      if (i % 2) await new Promise((done) => worker.once('message', done));
      await worker.terminate();
    }
    console.log('done')`;
  assert.is(ends(body, 0).stdout, 'done\n');
});

withRtx('engines outlive collections of what made them', () => {
  const body = `
    let engine = await start().done;
    const sum = engine.plan.reduce((s, x) => s + x, 0);
    for (let i = 0; i < 5; i++) { gc(); await new Promise(setImmediate); }
    console.log(sum === engine.plan.reduce((s, x) => s + x, 0));
    engine = undefined;
    for (let i = 0; i < 5; i++) { gc(); await new Promise(setImmediate); }`;
  assert.is(ends(body, 0, '--expose-gc').stdout, 'true\n');
});

test.run();
