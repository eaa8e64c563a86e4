// Puts the compiler of the Python package `ziglang` into build/zig: it cross-compiles against any old glibc.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '0.17.1';
const target = join(dirname(dirname(fileURLToPath(import.meta.url))), 'build', 'zig');

/** Makes commands for one target, such as `x86_64-linux-gnu.2.28`; returns what CMake must be told to use them. */
export function ensureZig(triple) {
  const zig = join(target, 'ziglang', 'zig');
  if (!existsSync(zig)) {
    const wheel = `ziglang==${VERSION}`;
    const pip = spawnSync(
      'python3',
      ['-m', 'pip', 'install', '--quiet', '--no-deps', '--root-user-action=ignore', '--target', target, wheel],
      { encoding: 'utf8' },
    );
    if (pip.status !== 0) throw new Error(`pip install ${wheel} failed: ${pip.error?.message ?? pip.stderr}`);
  }
  const folder = join(target, triple);
  mkdirSync(folder, { recursive: true });
  const command = (name, words) => {
    const file = join(folder, name);
    writeFileSync(file, `#!/bin/sh\nexec "${zig}" ${words} "$@"\n`);
    chmodSync(file, 0o755);
    return file;
  };
  return {
    CMAKE_SYSTEM_NAME: 'Linux',
    CMAKE_SYSTEM_PROCESSOR: triple.split('-')[0],
    CMAKE_CXX_COMPILER: command('c++', `c++ -target ${triple}`),
    CMAKE_AR: command('ar', 'ar'),
    CMAKE_RANLIB: command('ranlib', 'ranlib'),
  };
}
