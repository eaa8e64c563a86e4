import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { ProbeReport } from '../../ts/engine/probe.js';
import { inChild, temporaryFolder, testWith } from './support.js';

const withPrebuilds = testWith(test, 'prebuilds');
const probeModule = JSON.stringify(resolve('.test-build/ts/engine/probe.js'));

withPrebuilds('the prebuilt addon is what a package without a build folder loads', () => {
  const source = `import { probe } from ${probeModule}; console.log(JSON.stringify(await probe()))`;
  const report = inChild(source, { PREBUILDS_ONLY: '1' }) as ProbeReport;
  assert.ok('path' in report.addon, JSON.stringify(report.addon));
  assert.match(report.addon.path, /prebuilds\/linux-\w+\/flavr\.glibc\.node$/);
});

withPrebuilds('the prebuilt binaries are those of the manifest', () => {
  assert.match(execFileSync(process.execPath, ['scripts/prebuild-manifest.mjs'], { encoding: 'utf8' }), /8 files/);
});

withPrebuilds('a file that the manifest does not list fails the check', () => {
  const stray = resolve('prebuilds/linux-x64/stray.so');
  writeFileSync(stray, '');
  try {
    const run = () => execFileSync(process.execPath, ['scripts/prebuild-manifest.mjs'], { stdio: 'pipe' });
    assert.throws(run, /stray\.so/);
  } finally {
    rmSync(stray);
  }
});

withPrebuilds('the prebuilt binaries need nothing but glibc 2.28', () => {
  for (const file of readdirSync('prebuilds/linux-x64')) {
    const text = execFileSync('objdump', ['-p', join('prebuilds/linux-x64', file)], { encoding: 'utf8' });
    const needed = [...text.matchAll(/NEEDED\s+(\S+)/g)].map(([, name]) => name!);
    assert.equal(
      needed.filter((name) => !/^(lib(c|m|dl|pthread)\.so|ld-linux)/.test(name)),
      [],
      file,
    );
    const versions = [...text.matchAll(/GLIBC_2\.(\d+)/g)].map(([, minor]) => Number(minor));
    assert.ok(Math.max(...versions) <= 28, `${file}: 2.${Math.max(...versions)}`);
  }
});

/** Installs the packed package as a user does, on a PATH with node and nothing that could compile. */
function install(flags: readonly string[]): string {
  const folder = temporaryFolder();
  const tools = join(folder, 'bin');
  mkdirSync(tools);
  symlinkSync(process.execPath, join(tools, 'node'));
  symlinkSync('/bin/sh', join(tools, 'sh'));
  const npm = join(dirname(process.execPath), 'npm');
  const npmCli = [npm, '/usr/bin/npm', '/usr/local/bin/npm'].find(existsSync)!;
  const env = { ...process.env, HOME: folder, npm_config_nodedir: undefined, npm_config_update_notifier: 'false' };
  const pack = execFileSync(npmCli, ['pack', '--ignore-scripts', '--silent', '--pack-destination', folder], {
    encoding: 'utf8',
    env: process.env,
  });
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}');
  execFileSync(
    process.execPath,
    [
      ...[npmCli, 'install', '--no-audit', '--no-fund', '--silent', '--legacy-peer-deps', ...flags],
      join(folder, pack.trim().split('\n').at(-1)!),
    ],
    { cwd: folder, env: { ...env, PATH: tools }, stdio: 'pipe' },
  );
  return folder;
}

for (const [name, flags] of [
  ['install scripts', []],
  ['install scripts disabled', ['--ignore-scripts']],
] as const) {
  testWith(
    test,
    'prebuilds',
    'dist',
  )(`a package installed with ${name} and no compiler probes`, () => {
    const folder = install(flags);
    const index = pathToFileURL(join(folder, 'node_modules/flavr/dist/index.js')).href;
    const report = inChild(
      `const { probe } = await import(${JSON.stringify(index)}); console.log(JSON.stringify(await probe()))`,
      {
        PREBUILDS_ONLY: '',
      },
    ) as ProbeReport;
    assert.ok('path' in report.addon, JSON.stringify(report.addon));
    const { sha256 } = JSON.parse(readFileSync(join(folder, 'node_modules/flavr/prebuilds/manifest.json'), 'utf8'));
    assert.is(Object.keys(sha256).length, 8);
  });
}

test.run();
