// Writes build/check-gpu (or the folder named): all that the GPU check needs on a machine without Node and network.
// Usage: node scripts/check-gpu-prepare.mjs [FOLDER], after npm run build:native or npm run prebuilds.
//
// A full-width graph has 84 to 250 MB of weights, which the check makes again from the rule they came from: the whole
// folder stays a few megabytes and needs no cutting into pieces.
import { spawnSync } from 'node:child_process';
import { copyFileSync, cpSync, existsSync, mkdirSync, readdirSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { ensureHeaders } from './headers.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const folder = resolve(process.argv[2] ?? join(root, 'build', 'check-gpu'));

// The reference vectors and the rule are the tests' own: their code is compiled, apart from where the tests run.
const compiled = join(root, 'build', 'check-gpu-js');
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
const compile = spawnSync(process.execPath, [tsc, '-p', join(root, 'test', 'tsconfig.json'), '--outDir', compiled], {
  stdio: 'inherit',
});
if (compile.status !== 0) process.exit(1);
const { writeCheckFolder } = await import(pathToFileURL(join(compiled, 'test', 'support', 'check-gpu.js')).href);

process.chdir(root);
mkdirSync(folder, { recursive: true });
await writeCheckFolder(folder, (name) => console.log(name));

const binaries = ['flavr-check-gpu', 'flavr-tensorrt-10.so', 'flavr-tensorrt-11.so', 'flavr-tensorrt-rtx.so'];
// The program of a release runs on any Linux with glibc 2.28, the one built here on none much older than this one.
const builtAt = (place) => statSync(join(place, binaries[0]), { throwIfNoEntry: false })?.mtimeMs ?? 0;
const release = join(root, 'build', `prebuild-${process.arch}`, 'build', 'Release');
const here = join(root, 'build', 'Release');
const built = builtAt(release) > builtAt(here) ? release : here;
const missing = binaries.filter((name) => !existsSync(join(built, name)));
for (const name of binaries.filter((each) => !missing.includes(each)))
  copyFileSync(join(built, name), join(folder, name));
copyFileSync(join(root, 'scripts', 'check-gpu'), join(folder, 'check-gpu'));
// For machines that can compile but not fetch.
cpSync(ensureHeaders(), join(folder, 'headers'), { recursive: true });

const bytes = readdirSync(folder, { recursive: true })
  .map((name) => statSync(join(folder, name)))
  .reduce((sum, file) => sum + (file.isFile() ? file.size : 0), 0);
console.log(`${folder}: ${(bytes / 2 ** 20).toFixed(1)} MiB`);
if (missing.length > 0) {
  console.log(`Without ${missing.join(', ')}: run npm run build:native before, or compile on the GPU machine.`);
}
