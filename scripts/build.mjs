// Compiles ts/ into dist/. Runs on `npm install` in a clone (`prepare`) and before packing.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');

// Compiled beside and moved into place: whoever reads dist/ meanwhile finds it whole.
const [dist, fresh, old] = ['dist', 'dist.new', 'dist.old'].map((name) => join(root, name));
for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
const compile = [tsc, '-p', join(root, 'tsconfig.json'), '--outDir', fresh];
const { status } = spawnSync(process.execPath, compile, { stdio: 'inherit' });
if (status !== 0) process.exit(status ?? 1);
if (existsSync(dist)) renameSync(dist, old);
renameSync(fresh, dist);
rmSync(old, { recursive: true, force: true });
// npm makes a bin executable when it installs a package, but not when it links a clone.
const cli = join(dist, 'cli', 'main.js');
if (existsSync(cli)) chmodSync(cli, 0o755);
