// Compiles ts/ and test/ into .test-build/, then runs every *.test.js there in a process of its own, two at a time.
// The last line is `N passed, N failed[, N skipped]`; the exit code is 1 if anything failed or nothing ran.
// Usage: npm test [-- PATTERN …]   (a file runs if its path contains any of the patterns)
import { spawn, spawnSync } from 'node:child_process';
import { readdirSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const out = join(root, '.test-build');
const require = createRequire(import.meta.url);
const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');

rmSync(out, { recursive: true, force: true });
const compile = spawnSync(process.execPath, [tsc, '-p', join(root, 'test', 'tsconfig.json')], { stdio: 'inherit' });
if (compile.status !== 0) {
  console.log('0 passed, 1 failed');
  process.exit(1);
}

const patterns = process.argv.slice(2);
const files = readdirSync(join(out, 'test'), { recursive: true })
  .filter((file) => file.endsWith('.test.js'))
  .filter((file) => patterns.length === 0 || patterns.some((pattern) => file.includes(pattern)))
  .sort();
if (files.length === 0) console.log(`No test file's path below test/ contains ${patterns.join(' or ')}.`);

// A test file that hangs must fail, not hold the whole run.
const FILE_LIMIT_MS = 15 * 60_000;
const totals = { passed: 0, failed: 0, skipped: 0 };

function runFile(file) {
  return new Promise((resolve) => {
    const started = process.hrtime.bigint();
    const child = spawn(process.execPath, ['--expose-gc', join(out, 'test', file)], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
      // ONNX Runtime's telemetry is on by default; tests that load it themselves are to send nothing either.
      env: { ...process.env, FORCE_COLOR: '0', ORT_DISABLE_TELEMETRY: '1' },
    });
    let text = '';
    const collect = (chunk) => {
      text += chunk;
    };
    child.stdout.setEncoding('utf8').on('data', collect);
    child.stderr.setEncoding('utf8').on('data', collect);
    const timer = setTimeout(() => child.kill('SIGKILL'), FILE_LIMIT_MS);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ file, code, signal, text, seconds: Number(process.hrtime.bigint() - started) / 1e9 });
    });
  });
}

// uvu closes a file's run with these three lines; a file without them crashed before its end.
function count(text, label) {
  const match = text.match(new RegExp(`^\\s*${label}:\\s+(\\d+)`, 'm'));
  return match ? Number(match[1]) : undefined;
}

function report({ file, code, signal, text, seconds }) {
  const total = count(text, 'Total');
  const passed = count(text, 'Passed') ?? 0;
  const skipped = count(text, 'Skipped') ?? 0;
  // What was skipped is not in the total.
  let failed = total === undefined ? 1 : total - passed;
  if (code !== 0 && failed === 0) failed = 1;
  totals.passed += passed;
  totals.failed += failed;
  totals.skipped += skipped;
  const how = signal ? ` (${signal})` : code ? ` (exit ${code})` : '';
  const name = relative(root, join(root, 'test', file)).replace(/\.js$/, '.ts');
  console.log(`${failed ? 'FAIL' : 'ok  '} ${name}  ${passed}/${total ?? '?'}  ${seconds.toFixed(1)} s${how}`);
  if (failed) console.log(text);
  else for (const line of text.match(/^SKIPPED .*$|^NOTE .*$/gm) ?? []) console.log(`     ${line}`);
}

const queue = [...files];
async function lane() {
  for (let file = queue.shift(); file !== undefined; file = queue.shift()) report(await runFile(file));
}
await Promise.all([lane(), lane()]);

if (files.length === 0) totals.failed = 1;
const skipped = totals.skipped ? `, ${totals.skipped} skipped` : '';
console.log(`${totals.passed} passed, ${totals.failed} failed${skipped}`);
process.exitCode = totals.failed ? 1 : 0;
