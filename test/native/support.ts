import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Callback, Test } from 'uvu';
import type { Engine } from '../../ts/engine/file.js';
import type { NativeBuildRequest } from '../../ts/native.js';

/** The library folder that scripts/fetch-rtx.mjs makes. */
export const RTX_FOLDER = resolve('build/tensorrt-rtx/tensorrt_rtx_libs');

const NEEDS = {
  addon: { path: 'build/Release/flavr.node', make: 'npm run build:native' },
  prebuilds: { path: 'prebuilds/manifest.json', make: 'node scripts/prebuild.mjs' },
  dist: { path: 'dist/index.js', make: 'npm run build' },
  tensorrt10: { path: resolve('build/tensorrt-10/libnvonnxparser.so.10'), make: 'node scripts/fetch-tensorrt10.mjs' },
  rtx: { path: join(RTX_FOLDER, 'libtensorrt_rtx.so.1'), make: 'node scripts/fetch-rtx.mjs' },
} as const;

/** `test` where all that is needed was built; elsewhere a skipped test that says what is missing. */
export function testWith(test: Test, ...needs: readonly (keyof typeof NEEDS)[]) {
  return (name: string, run: Callback): void => {
    const missing = needs.map((need) => NEEDS[need]).find(({ path }) => !existsSync(path));
    if (missing === undefined) {
      test(name, run);
    } else {
      console.log(`SKIPPED ${name}: ${missing.path} is not there; make it with: ${missing.make}`);
      test.skip(name, run);
    }
  };
}

/** A folder that is gone when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'flavr-test-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Compiles C into a shared library at `file`. */
export function compileLibrary(file: string, source: string): string {
  writeFileSync(`${file}.c`, source);
  execFileSync('cc', ['-shared', '-fPIC', '-o', file, `${file}.c`]);
  return file;
}

/** A stand-in for the driver, from bodies of some of its functions in C; every other one succeeds and does nothing. */
export function compileDriver(
  folder: string,
  bodies: Readonly<Record<string, string>>,
  without: readonly string[] = [],
): string {
  const bound = readFileSync('native/engine/cuda_driver.cc', 'utf8').matchAll(/binder\.bind\(\S+, "(\w+)"\)/g);
  const functions = [...bound]
    .map(([, name]) => name!)
    .filter((name) => !without.includes(name))
    .map((name) => bodies[name] ?? `int ${name}() { return 0; }`);
  const source = `#include <stddef.h>\n#include <string.h>\n${functions.join('\n')}`;
  return compileLibrary(join(folder, 'libcuda.so.1'), source);
}

/** Runs a module of JavaScript in a process of its own and gives back what it wrote to stdout, as JSON. */
export function inChild(source: string, env: Record<string, string> = {}): unknown {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return JSON.parse(output);
}

/** An engine that no library made, with a plan of so many bytes. */
export function engineOf(planBytes: number): Engine {
  return {
    header: {
      model: { name: 'tiny', hash: 'a'.repeat(64), factor: 8 },
      width: 64,
      height: 48,
      factor: 8,
      inputs: 4,
      batch: 2,
      precision: 'fp16',
      lowering: '3d',
      form: 'framed',
      frameStride: 9216,
      estimate: {
        parameters: 1,
        weightBytes: 2,
        peakActivationBytes: 3,
        usefulFlops: 4,
        paperFlops: 5,
        largestTensor: 6,
      },
      family: 'tensorrt-rtx',
      version: '1.7.1',
      target: { kind: 'portable' },
      flavr: '0.1.0',
    },
    plan: Uint8Array.from({ length: planBytes }, (_, i) => i * 7),
  };
}

/** A request of the addon's own build, for what `buildEngine` would refuse before. */
export function buildRequest(fields: Pick<NativeBuildRequest, 'library' | 'model'>): NativeBuildRequest {
  return {
    device: 0,
    workspaceBytes: 0,
    optimizationLevel: -1,
    allowTf32: false,
    timingCache: new Uint8Array(),
    computeCapabilities: [],
    ...fields,
  };
}
