// Builds and runs what needs no GPU: the C++ tests of the engine layer in one or more flavours, and the tests of sessions in
// Node with the addon under AddressSanitizer and UndefinedBehaviorSanitizer, all on the simulated device.
// Usage: node scripts/test-native.mjs [plain|address|thread|binding …] [--runs N] [--seed N] [TEXT of a C++ test's name]
// Without a flavour: all of them.
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNativeTest, FLAVOURS } from './native-tests.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const args = process.argv.slice(2);
const kinds = [...Object.keys(FLAVOURS), 'binding'];
const named = args.filter((arg) => kinds.includes(arg));
const rest = args.filter((arg) => !kinds.includes(arg));

async function engineTests(flavour) {
  return spawnSync(await buildNativeTest(flavour, 'engine_test'), rest, {
    stdio: 'inherit',
    env: { ...process.env, UBSAN_OPTIONS: 'print_stacktrace=1' },
  });
}

/** Node itself is not built with the sanitizer, so its runtime is loaded first. */
async function bindingTests() {
  await buildNativeTest('address', 'flavr');
  const typescript = dirname(createRequire(import.meta.url).resolve('typescript/package.json'));
  execFileSync(process.execPath, [join(typescript, 'bin', 'tsc'), '-p', join(root, 'test')], { stdio: 'inherit' });
  const folder = join(root, '.test-build', 'test', 'native');
  const runtimes = ['libasan.so', 'libubsan.so'].map((name) =>
    execFileSync('c++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim(),
  );
  const runs = readdirSync(folder)
    .filter((name) => /^session.*\.test\.js$/.test(name))
    .map((name) => {
      console.log(name);
      return spawnSync(process.execPath, ['--expose-gc', join(folder, name)], {
        cwd: root,
        stdio: 'inherit',
        // What Node keeps to its end is no leak of ours; the C++ tests look for those.
        env: {
          ...process.env,
          FLAVR_NATIVE_FLAVOUR: 'address',
          LD_PRELOAD: runtimes.join(':'),
          ASAN_OPTIONS: 'detect_leaks=0',
        },
      });
    });
  return runs.find(({ status }) => status !== 0) ?? runs[0];
}

for (const kind of named.length > 0 ? named : kinds) {
  console.log(`== ${kind}`);
  const { status } = kind === 'binding' ? await bindingTests() : await engineTests(kind);
  if (status !== 0) process.exitCode = 1;
}
