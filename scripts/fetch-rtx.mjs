// Puts the TensorRT-RTX libraries (about 240 MB) from their Python wheel into build/tensorrt-rtx and prints the folder:
// for tests and measurements that build real engines, which needs no GPU.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const VERSION = '1.7.1.116';
const target = join(dirname(dirname(fileURLToPath(import.meta.url))), 'build', 'tensorrt-rtx');

/** Returns the folder of the libraries, fetching them if they are not there. */
export function ensureRtx() {
  const folder = join(target, 'tensorrt_rtx_libs');
  if (existsSync(join(folder, 'libtensorrt_rtx.so.1'))) return folder;
  const wheel = `tensorrt-rtx-cu13-libs==${VERSION}`;
  const pip = spawnSync(
    'python3',
    ['-m', 'pip', 'install', '--quiet', '--no-deps', '--root-user-action=ignore', '--target', target, wheel],
    { encoding: 'utf8' },
  );
  if (pip.status !== 0) throw new Error(`pip install ${wheel} failed: ${pip.error?.message ?? pip.stderr}`);
  return folder;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(ensureRtx());
