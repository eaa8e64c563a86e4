// Builds and runs the C++ tests of the engine layer on the simulated device, in one or more flavours.
// Usage: node scripts/test-native.mjs [plain|address|thread …] [--runs N] [--seed N] [TEXT of a test's name]
// Without a flavour: all of them.
import { spawnSync } from 'node:child_process';
import { buildNativeTest, FLAVOURS } from './native-tests.mjs';

const args = process.argv.slice(2);
const named = args.filter((arg) => arg in FLAVOURS);
const rest = args.filter((arg) => !(arg in FLAVOURS));

for (const flavour of named.length > 0 ? named : Object.keys(FLAVOURS)) {
  console.log(`== ${flavour}`);
  const { status } = spawnSync(await buildNativeTest(flavour, 'engine_test'), rest, {
    stdio: 'inherit',
    env: { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1' },
  });
  if (status !== 0) process.exitCode = 1;
}
