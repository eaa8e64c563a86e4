import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CLI, SAMPLE } from '../support/cli.js';

let folder: string;
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'flavr-streams-'));
});
test.after.each(() => rmSync(folder, { recursive: true, force: true }));

test('a job goes on when nobody reads what it tells', async () => {
  const words = ['interpolate', SAMPLE, '-o', 'out.mp4', '--duration', '0.08', '--backend', 'auto'];
  const child = spawn(process.execPath, [CLI, ...words], { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.destroy();
  child.stderr.destroy();
  const [code] = await once(child, 'close');
  assert.is(code, 0);
  assert.ok(existsSync(join(folder, 'out.mp4')));
});

if (existsSync('/dev/full')) {
  test('a result that cannot be written to stdout is a failure, told in a sentence', async () => {
    const full = openSync('/dev/full', 'w');
    const child = spawn(process.execPath, [CLI, 'models', '--json'], { stdio: ['ignore', full, 'pipe'] });
    let stderr = '';
    child.stderr!.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    const [code] = await once(child, 'close');
    closeSync(full);
    assert.is(code, 1);
    assert.match(stderr, /^flavr: VIDEO_UNWRITABLE: stdout cannot be written: the disk is full[^\n]*\n$/);
  });
} else console.log('SKIPPED a result that cannot be written to stdout: there is no /dev/full');

test.run();
