// Builds the addon into build/Release with cmake-js: `npm run build:native [-- --debug] [-- -DNAME=VALUE …]`.
// Needs a C++17 compiler and cmake; the Node-API headers are a package, TensorRT's are fetched (scripts/headers.mjs).
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { ensureHeaders } from './headers.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const cmakeJs = join(dirname(createRequire(import.meta.url).resolve('cmake-js/package.json')), 'bin', 'cmake-js');
const definitions = [`-DFLAVR_TENSORRT_HEADERS=${ensureHeaders()}`];
const options = [];
for (const argument of process.argv.slice(2)) (argument.startsWith('-D') ? definitions : options).push(argument);

// Not cmake-js's `compile`: it answers a compile error by deleting build/ and trying once more.
for (const command of [['configure', ...definitions.map((definition) => `--CD${definition.slice(2)}`)], ['build']]) {
  const run = spawnSync(process.execPath, [cmakeJs, ...command, '--parallel', '2', ...options], {
    cwd: root,
    stdio: 'inherit',
  });
  if (run.status !== 0) process.exit(run.status ?? 1);
}
