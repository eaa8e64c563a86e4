import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { canSimulate, simulatorPath } from '../support/simulator.js';

if (!canSimulate) {
  console.log('SKIPPED life-cycle tests on the simulated device: there is no cmake on PATH');
  process.exit(0);
}

const addon = simulatorPath();
const child = fileURLToPath(new URL('./session-lifecycle-child.js', import.meta.url));

/** Runs a scenario of session-lifecycle-child.ts to its end; a signal or a crash fails the test, whatever was printed. */
function ending(scenario: string, code: number): { result: unknown; stderr: string } {
  const run = spawnSync(process.execPath, ['--expose-gc', child, scenario, addon], {
    encoding: 'utf8',
    timeout: 180_000,
  });
  assert.is(run.signal, null, `${scenario}: ${run.stderr}`);
  assert.is(run.status, code, `${scenario}: ${run.stdout}${run.stderr}`);
  const { result } = run.stdout ? (JSON.parse(run.stdout) as { result?: unknown }) : {};
  return { result, stderr: run.stderr };
}

test('a process ends by itself once its windows are through, though nothing was disposed of', () => {
  ending('ends by itself', 0);
});

test('an idle session does not keep a process alive', () => {
  ending('ends with a session that is idle', 0);
});

test('process.exit while windows run ends the process with its code, ten times in ten', () => {
  for (let i = 0; i < 10; i++) ending('process.exit', 7);
});

test('process.exit while a session opens ends the process with its code', () => {
  for (let i = 0; i < 5; i++) ending('process.exit while opening', 7);
});

test('an uncaught exception while windows run ends the process with code 1 and its own words', () => {
  assert.match(ending('uncaught exception', 1).stderr, /meant to be thrown/);
});

test('a rejection that nobody handles ends the process with code 1 and its own words', () => {
  assert.match(ending('unhandled rejection', 1).stderr, /DISPOSED/);
});

test('a hundred workers are terminated at any stage, and nothing of their sessions is left', () => {
  assert.is(ending('worker.terminate', 0).result, 0);
});

test('sessions in workers and in the main thread do not get in each other’s way', () => {
  assert.equal(ending('workers beside the main thread', 0).result, [0, 0, 0]);
});

test('the addon may be loaded twice, and a copy of it beside it', () => {
  assert.equal(ending('loaded twice', 0).result, [19, 19, 19]);
});

test('sessions and frames that nobody holds are collected', () => {
  assert.is(ending('frames and sessions left to the garbage collector', 0).result, 0);
});

test('collections while windows run take nothing that is in use', () => {
  assert.is(ending('collection while windows run', 0).result, 0);
});

test.run();
