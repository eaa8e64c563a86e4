// Builds what native/test/CMakeLists.txt holds, one flavour and target at a time, in native/build/test-FLAVOUR: apart from
// what is shipped.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
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
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

// Test files run side by side, and two of them may want the same build.
async function locked(folder, work) {
  mkdirSync(folder, { recursive: true });
  const lock = join(folder, '.lock');
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch {
      const holder = Number(readFileSync(lock, { encoding: 'utf8', flag: 'a+' }));
      if (holder > 0 && !isRunning(holder)) rmSync(lock, { force: true });
      else await setTimeout(200);
    }
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
