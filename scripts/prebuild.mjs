// Makes prebuilds/ for linux-x64 and linux-arm64 with glibc 2.28 or newer, and its manifest of checksums.
import { mkdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ARCHITECTURES, writeManifest } from './prebuild-manifest.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const prebuildify = promisify(createRequire(import.meta.url)('prebuildify'));

rmSync(join(root, 'prebuilds'), { recursive: true, force: true });
for (const arch of ARCHITECTURES) {
  // prebuildify moves the addon out of `build/Release` of its working folder, which must not be the developer's.
  const cwd = join(root, 'build', `prebuild-${arch}`);
  mkdirSync(cwd, { recursive: true });
  await prebuildify({
    name: 'flavr',
    napi: true,
    // Only names the target for prebuildify: Node-API binaries fit every version.
    targets: [`node@${process.versions.node}`],
    platform: 'linux',
    arch,
    libc: 'glibc',
    tagLibc: true,
    nodeGyp: join(root, 'scripts', 'prebuild-compile.mjs'),
    cwd,
    out: root,
  });
}
writeManifest();
