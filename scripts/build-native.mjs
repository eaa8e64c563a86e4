// Builds the addon into build/Release with cmake-js: `npm run build:native [-- --debug] [-- -DNAME=VALUE …]`.
// Needs a C++17 compiler and cmake; the Node-API headers are a package, TensorRT's are fetched (scripts/headers.mjs).
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureHeaders } from './headers.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cmakeJs = join(dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')), 'bin', 'cmake-js');

/** Runs cmake-js with these options of its own and these CMake variables; ends the process where that fails. */
export function buildAddon(options, variables) {
  const given = Object.entries({ ...variables, FLAVR_TENSORRT_HEADERS: ensureHeaders() });
  // Not cmake-js's `compile`: it answers a compile error by deleting the build folder and trying once more.
  for (const command of [['configure', ...given.map(([name, value]) => `--CD${name}=${value}`)], ['build']]) {
    const words = [cmakeJs, ...command, '--directory', root, '--parallel', '2', ...options];
    const run = spawnSync(process.execPath, words, { stdio: 'inherit' });
    if (run.status !== 0) process.exit(run.status ?? 1);
  }
}

if (import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const words = process.argv.slice(2);
  const definitions = words.filter((word) => word.startsWith('-D')).map((word) => word.slice(2).split(/=(.*)/s, 2));
  buildAddon(
    words.filter((word) => !word.startsWith('-D')),
    Object.fromEntries(definitions),
  );
}
