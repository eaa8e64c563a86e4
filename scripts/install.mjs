// Runs when npm installs the package: says whether a prebuilt addon fits. Never compiles, downloads or fails, and the
// package works the same where install scripts are disabled. That it exists keeps npm from running node-gyp.
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';

try {
  createRequire(import.meta.url)('node-gyp-build').resolve(dirname(dirname(fileURLToPath(import.meta.url))));
} catch {
  console.log(
    `flavr: no prebuilt addon fits ${process.platform}-${process.arch}. The CPU backend needs none; for GPUs build it ` +
      'from a clone of the repository: npm run build:native. "flavr doctor" says more.',
  );
}
