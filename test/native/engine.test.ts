import { spawnSync } from 'node:child_process';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const hasTools = spawnSync('cmake', ['--version']).status === 0;

// The flavour with most to say; `node scripts/test-native.mjs` runs all of them.
if (hasTools) {
  test('the C++ tests of the engine pass under AddressSanitizer and UndefinedBehaviorSanitizer', () => {
    const run = spawnSync(process.execPath, ['scripts/test-native.mjs', 'address', '--runs', '2000'], {
      encoding: 'utf8',
    });
    for (const note of run.stdout.match(/^NOTE .*$/gm) ?? []) console.log(note);
    assert.is(run.status, 0, run.stdout + run.stderr);
    assert.match(run.stdout, /^\d+ passed, 0 failed$/m);
  });
} else {
  test.skip('the C++ tests of the engine pass');
  console.log('SKIPPED the C++ tests of the engine: there is no cmake on PATH');
}

test.run();
