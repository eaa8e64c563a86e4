// Puts the headers of the three TensorRT families into build/tensorrt-headers/{10,11,rtx}. Each family's come from
// TENSORRT_INCLUDE_DIR if that folder holds them, else from the system, else from the crate trtx-sys, which carries
// NVIDIA's headers under Apache-2.0 and is fetched (and checked against the registry's checksum) by cargo.
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const FAMILIES = [
  { name: '10', macro: 'TRT_MAJOR_ENTERPRISE', major: 10, crate: '0.5.0', folder: 'TRT-Enterprise-10.16' },
  { name: '11', macro: 'TRT_MAJOR_ENTERPRISE', major: 11, crate: '0.9.1+rtx1.7', folder: 'TRT-Enterprise-11.4' },
  { name: 'rtx', macro: 'TRT_MAJOR_RTX', major: 1, crate: '0.9.1+rtx1.7', folder: 'TRT-RTX-1.7' },
];
const SYSTEM = [
  '/usr/include',
  '/usr/include/x86_64-linux-gnu',
  '/usr/include/aarch64-linux-gnu',
  '/usr/local/tensorrt/include',
];
// All that TensorRT's headers take from the CUDA toolkit.
const CUDA_TYPES = `#pragma once
typedef struct CUevent_st* cudaEvent_t;
typedef struct CUstream_st* cudaStream_t;
`;

/** The folder of these candidates whose NvInferVersion.h is of the family, if any. */
function findInstalled(family, candidates) {
  return candidates.find((folder) => {
    const file = join(folder, 'NvInferVersion.h');
    if (!existsSync(file)) return false;
    return new RegExp(`#define ${family.macro} ${family.major}\\b`).test(readFileSync(file, 'utf8'));
  });
}

/** Downloads a version of the crate through cargo and returns its folder in cargo's own registry cache. */
function fetchCrate(version) {
  const cargo = spawnSync('cargo', ['info', `trtx-sys@${version}`], { encoding: 'utf8' });
  if (cargo.status !== 0) {
    const detail = cargo.error?.message ?? cargo.stderr.trim();
    throw new Error(
      `The TensorRT headers could not be fetched: cargo info trtx-sys@${version} failed (${detail}). ` +
        'Install cargo 1.82 or newer, or point TENSORRT_INCLUDE_DIR at a folder of TensorRT headers.',
    );
  }
  const sources = join(process.env.CARGO_HOME ?? join(homedir(), '.cargo'), 'registry', 'src');
  for (const registry of readdirSync(sources)) {
    const folder = join(sources, registry, `trtx-sys-${version}`);
    if (existsSync(folder)) return folder;
  }
  throw new Error(`cargo fetched trtx-sys ${version}, but its files are not in ${sources}.`);
}

/** Makes the headers of all families present; those already there stay. Returns their folder. */
export function ensureHeaders() {
  const target = join(root, 'build', 'tensorrt-headers');
  const given = process.env.TENSORRT_INCLUDE_DIR;
  for (const family of FAMILIES) {
    const folder = join(target, family.name);
    const stamp = join(folder, 'origin.txt');
    const installed = findInstalled(family, given ? [given, ...SYSTEM] : SYSTEM);
    const origin = installed ?? `trtx-sys ${family.crate}`;
    if (existsSync(stamp) && readFileSync(stamp, 'utf8') === origin) continue;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    const source = installed ?? join(fetchCrate(family.crate), 'TensorRT-Headers', family.folder);
    for (const file of readdirSync(source)) {
      if (/^Nv.*\.h$/.test(file)) copyFileSync(join(source, file), join(folder, file));
    }
    writeFileSync(join(folder, 'cuda_runtime_api.h'), CUDA_TYPES);
    writeFileSync(stamp, origin);
  }
  return target;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) console.log(ensureHeaders());
