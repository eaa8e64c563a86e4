import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Callback, Test } from 'uvu';

/** The library folder that scripts/fetch-rtx.mjs makes. */
export const RTX_FOLDER = resolve('build/tensorrt-rtx/tensorrt_rtx_libs');

const NEEDS = {
  addon: { path: 'build/Release/flavr.node', make: 'npm run build:native' },
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

/** Runs a module of JavaScript in a process of its own and gives back what it wrote to stdout, as JSON. */
export function inChild(source: string, env: Record<string, string> = {}): unknown {
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', source], {
    env: { ...process.env, ...env },
    encoding: 'utf8',
  });
  return JSON.parse(output);
}
