// Builds what native/test/CMakeLists.txt holds, one flavour and target at a time, in native/build/test-FLAVOUR: apart from
// what is shipped.
import { spawnSync } from 'node:child_process';
import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const native = join(dirname(dirname(fileURLToPath(import.meta.url))), 'native');
const require = createRequire(import.meta.url);

/** Flavour to the sanitizers it is built with. */
export const FLAVOURS = { plain: '', address: 'address,undefined', thread: 'thread' };

function isRunning(pid) {
  try {
    return pid > 0 && process.kill(pid, 0);
  } catch {
    return false;
  }
}

/** `operation`, or undefined where it fails with `code`. */
function unless(code, operation) {
  try {
    return operation() ?? true;
  } catch (error) {
    if (error.code === code) return undefined;
    throw error;
  }
}

/** Takes away the lock of a process that is gone. Of several that try, one moves the file; it puts a live one back. */
function clear(lock, holder, own) {
  const aside = `${own}.gone`;
  if (!unless('ENOENT', () => renameSync(lock, aside))) return;
  if (readFileSync(aside, 'utf8') !== holder) unless('EEXIST', () => linkSync(aside, lock));
  rmSync(aside);
}

/**
 * Runs `work` as the only process that does so in the folder: test files run side by side, and two of them may want the
 * same build.
 */
export async function locked(folder, work) {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, '.lock');
  const own = `${lock}.${process.pid}`;
  // Written before it has the lock's name, so that nobody reads a lock that does not say whose it is.
  writeFileSync(own, String(process.pid));
  try {
    while (!unless('EEXIST', () => linkSync(own, lock))) {
      const holder = unless('ENOENT', () => readFileSync(lock, 'utf8'));
      if (holder === undefined) continue;
      if (isRunning(Number(holder))) await setTimeout(200);
      else clear(lock, holder, own);
    }
  } finally {
    rmSync(own);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
}

function run(command, args) {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')}\n${error?.message ?? ''}${stdout ?? ''}${stderr ?? ''}`);
}

/**
 * @param flavour a key of FLAVOURS.
 * @param target `engine_test`, the C++ tests, or `flavr`, the addon on the simulated device.
 * @returns the path of what was built.
 */
export function buildNativeTest(flavour, target) {
  const folder = join(native, 'build', `test-${flavour}`);
  const includes = [require('node-api-headers').include_dir, dirname(require.resolve('node-addon-api'))];
  return locked(folder, () => {
    run('cmake', [
      ...['-S', join(native, 'test'), '-B', folder],
      `-DFLAVR_SANITIZE=${FLAVOURS[flavour]}`,
      `-DFLAVR_NODE_INCLUDES=${includes.join(';')}`,
    ]);
    run('cmake', ['--build', folder, '--parallel', '2', '--target', target]);
    return join(folder, target === 'flavr' ? 'flavr.node' : target);
  });
}

// node scripts/native-tests.mjs FLAVOUR TARGET: builds it and prints its path.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  console.log(await buildNativeTest(process.argv[2], process.argv[3]));
}
