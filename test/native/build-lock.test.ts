// Two test files that want the same native build must not make it at once, nor wait for ever.
import { execFile, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { temporaryFolder } from './support.js';

const PROGRAM = `
import { appendFileSync } from 'node:fs';
import { locked } from ${JSON.stringify(pathToFileURL(resolve('scripts/native-tests.mjs')).href)};
const [folder, log] = process.argv.slice(1);
await locked(folder, () => {
  appendFileSync(log, 'in ');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
  appendFileSync(log, 'out ');
});`;

/** The order in which so many processes were in the folder. */
async function order(folder: string, processes: number): Promise<string> {
  const log = join(temporaryFolder(), 'log');
  const words = ['--input-type=module', '-e', PROGRAM, folder, log];
  await Promise.all(Array.from({ length: processes }, () => promisify(execFile)(process.execPath, words)));
  return readFileSync(log, 'utf8');
}

test('of several processes one is in the folder at a time, and they leave nothing there', async () => {
  const folder = temporaryFolder();
  assert.is(await order(folder, 4), 'in out '.repeat(4));
  assert.equal(readdirSync(folder), []);
});

for (const [whose, content] of [
  ['a process that is gone', String(spawnSync(process.execPath, ['-e', '']).pid)],
  ['nobody, as it is empty', ''],
] as const) {
  test(`the lock of ${whose} is taken over`, async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, '.lock'), content);
    assert.is(await order(folder, 3), 'in out '.repeat(3));
    assert.equal(readdirSync(folder), []);
  });
}

test.run();
