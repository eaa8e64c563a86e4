// Checks the C++ sources with clang-format and clang-tidy from PyPI; needs `npm run build:native` first, whose compile
// commands clang-tidy reads. Usage: node scripts/lint-native.mjs [--fix] [TEXT of a path …]
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const tools = join(root, 'build', 'clang-tools');
const words = process.argv.slice(2);
const fix = words.includes('--fix');
const patterns = words.filter((word) => word !== '--fix');

function run(command, args) {
  const { status } = spawnSync(command, args, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, PYTHONPATH: tools },
  });
  if (status !== 0) process.exitCode = 1;
  return status === 0;
}

if (!existsSync(join(tools, 'bin', 'clang-tidy'))) {
  const packages = ['clang-format==23.1.5', 'clang-tidy==23.1.4'];
  const flags = ['--quiet', '--no-deps', '--root-user-action=ignore', '--target', tools];
  if (!run('python3', ['-m', 'pip', 'install', ...flags, ...packages])) process.exit(1);
}
const sources = readdirSync(join(root, 'native'), { recursive: true })
  .filter((file) => /\.(cc|h)$/.test(file) && !file.startsWith('build'))
  .map((file) => join('native', file))
  .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)));
run('python3', [join(tools, 'bin', 'clang-format'), ...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...sources]);
// Simulation and tests are compiled elsewhere, without compile commands here.
const compiled = sources.filter((file) => /^native\/(engine|cuda|family|binding)\/.*\.cc$/.test(file));
for (const file of compiled) run('python3', [join(tools, 'bin', 'clang-tidy'), '-p', 'build', '--quiet', file]);
