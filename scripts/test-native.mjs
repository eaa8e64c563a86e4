// Builds and runs the C++ tests of the engine layer on the simulated device, in one or more flavours.
// Usage: node scripts/test-native.mjs [plain|address|thread …] [--runs N] [--seed N] [TEXT of a test's name]
// Without a flavour: all of them. Builds lie in native/build/test-FLAVOUR, apart from what is shipped.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const native = join(dirname(dirname(fileURLToPath(import.meta.url))), 'native');
const SANITIZERS = { plain: '', address: 'address,undefined', thread: 'thread' };

const args = process.argv.slice(2);
const named = args.filter((arg) => arg in SANITIZERS);
const rest = args.filter((arg) => !(arg in SANITIZERS));

function run(command, commandArgs, quiet) {
  const { status, error, stdout } = spawnSync(command, commandArgs, {
    stdio: quiet ? ['ignore', 'pipe', 'inherit'] : 'inherit',
    encoding: 'utf8',
    env: { ...process.env, ASAN_OPTIONS: 'detect_leaks=1', UBSAN_OPTIONS: 'print_stacktrace=1' },
  });
  if (error) console.error(`${command}: ${error.message}`);
  if (status === 0) return true;
  if (quiet) console.error(stdout);
  return false;
}

function test(flavour) {
  const build = join(native, 'build', `test-${flavour}`);
  console.log(`== ${flavour}`);
  return (
    run('cmake', ['-S', join(native, 'test'), '-B', build, `-DFLAVR_SANITIZE=${SANITIZERS[flavour]}`], true) &&
    run('cmake', ['--build', build, '--parallel', '2'], true) &&
    run(join(build, 'engine_test'), rest, false)
  );
}

const passed = (named.length > 0 ? named : Object.keys(SANITIZERS)).map(test);
process.exitCode = passed.every(Boolean) ? 0 : 1;
