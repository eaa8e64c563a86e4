// The prebuilt binaries of a release, file by file: `node scripts/prebuild-manifest.mjs` fails on any file that the
// manifest does not list, lists and is not there, or has another content.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), 'prebuilds');
const MANIFEST = 'manifest.json';
export const ARCHITECTURES = ['x64', 'arm64'];
const FILES = ['flavr.glibc.node', 'flavr-tensorrt-10.so', 'flavr-tensorrt-11.so', 'flavr-tensorrt-rtx.so'];
const EXPECTED = ARCHITECTURES.flatMap((arch) => FILES.map((file) => `linux-${arch}/${file}`)).sort();

function checksums() {
  const files = readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
    .filter((file) => file !== MANIFEST)
    .sort();
  return Object.fromEntries(
    files.map((file) => [
      file,
      createHash('sha256')
        .update(readFileSync(join(folder, file)))
        .digest('hex'),
    ]),
  );
}

/** Writes the manifest of what is there, which must be exactly the files of a release. */
export function writeManifest() {
  const found = checksums();
  const names = Object.keys(found);
  const wrong = [
    ...EXPECTED.filter((file) => !names.includes(file)),
    ...names.filter((file) => !EXPECTED.includes(file)),
  ];
  if (wrong.length > 0) throw new Error(`prebuilds: missing or unexpected: ${wrong.join(', ')}`);
  writeFileSync(join(folder, MANIFEST), `${JSON.stringify({ sha256: found }, undefined, 2)}\n`);
}

/** The files that differ from the manifest; none in a good package. */
export function checkManifest() {
  const { sha256 } = JSON.parse(readFileSync(join(folder, MANIFEST), 'utf8'));
  const found = checksums();
  return [...new Set([...Object.keys(sha256), ...Object.keys(found)])].filter((file) => sha256[file] !== found[file]);
}

if (import.meta.url === pathToFileURL(resolve(process.argv[1])).href) {
  const wrong = checkManifest();
  if (wrong.length > 0) throw new Error(`prebuilds: these files differ from the manifest: ${wrong.join(', ')}`);
  console.log(`prebuilds: ${EXPECTED.length} files as the manifest says`);
}
