import { spawn } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../../ts/package.js';

const ENTRY = pathToFileURL(join(packageRoot(), '.test-build', 'ts', 'index.js')).href;
// A clip that nobody sees the end of, in windows of which each takes a while.
const OPEN_AND_RUN = `
  const size = { width: 800, height: 600 };
  const flavr = await Interpolator.open({ ...size, backend: 'cpu', threads: 1 });
  const clip = new Array(100_000).fill(new Uint8Array(size.width * size.height * 3));
  const call = flavr.interpolate(clip, 2);
  call.catch(() => {});
  await new Promise((resolve) => setTimeout(resolve, 200));
`;

interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
}

/** Runs a program that has `Interpolator`; `onOutput` is called with it when it first says something. */
function run(
  program: string,
  onOutput?: (kill: (signal: NodeJS.Signals) => void) => void,
  [command, ...words]: readonly [string, ...string[]] = [process.execPath],
): Promise<Ended> {
  const text = `import { Interpolator } from ${JSON.stringify(ENTRY)};\n${program}`;
  const child = spawn(command, [...words, '--input-type=module', '-e', text], { stdio: ['ignore', 'pipe', 'ignore'] });
  let stdout = '';
  child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
    stdout += chunk;
  });
  if (onOutput) child.stdout.once('data', () => onOutput((signal) => child.kill(signal)));
  return new Promise((resolve) => child.on('close', (code, signal) => resolve({ code, signal, stdout })));
}

test('importing the package and doing nothing keeps no process alive', async () => {
  assert.is((await run('')).code, 0);
});

test('an open interpolator without work keeps no process alive', async () => {
  const { code, stdout } = await run(`
    await Interpolator.open({ width: 16, height: 16, backend: 'cpu' });
    console.log('open');
  `);
  assert.is(code, 0);
  assert.is(stdout, 'open\n');
});

test('running a model sends nothing and leaves nothing in the home and temporary folders', async () => {
  const program = `
    const flavr = await Interpolator.open({ width: 16, height: 16, backend: 'cpu' });
    const frames = [0, 80, 160].map((grey) => new Uint8Array(16 * 16 * 3).fill(grey));
    console.log((await flavr.interpolate(frames, 2)).length);
    await flavr.dispose();
  `;
  const folder = await mkdtemp(join(tmpdir(), 'flavr-home-'));
  // ONNX Runtime's telemetry keeps its record there before it sends it; CI turns it off in any case.
  const ordinary = [
    '-u',
    'CI',
    '-u',
    'ORT_DISABLE_TELEMETRY',
    '-u',
    'XDG_CACHE_HOME',
    `HOME=${folder}`,
    `TMPDIR=${folder}`,
  ];
  const { stdout } = await run(program, undefined, ['env', ...ordinary, process.execPath]);
  assert.is(stdout, '5\n');
  assert.equal(await readdir(folder), []);
  await rm(folder, { recursive: true });
});

const OPEN = `Interpolator.open({ model, width: 16, height: 16, backend: 'cpu' })`;

test('where no more files can be open, opening is INFERENCE_FAILED, and the program goes on', async () => {
  const program = `
    import { closeSync, openSync } from 'node:fs';
    import { loadModel } from ${JSON.stringify(ENTRY)};
    const model = await loadModel('mini-2x');
    await ${OPEN}.then((flavr) => flavr.dispose());
    const held = [];
    try { for (;;) held.push(openSync('/dev/null')); } catch {}
    const { code, message } = await ${OPEN}.catch((error) => error);
    for (const file of held) closeSync(file);
    console.log(code, message);
    console.log((await ${OPEN}).backend);
  `;
  const few = ['sh', '-c', 'ulimit -n 64; exec "$0" "$@"', process.execPath] as const;
  const { code, stdout } = await run(program, undefined, few);
  assert.is(code, 0);
  assert.match(stdout, /^INFERENCE_FAILED .*could not be started \(.*EMFILE.*\n.*cpu\n$/);
});

test('where no process may be started, opening is INFERENCE_FAILED', async () => {
  const program = `
    const model = undefined;
    console.log((await ${OPEN}.catch((error) => error)).code);
  `;
  const restricted = [process.execPath, '--experimental-permission', '--allow-fs-read=*'] as const;
  assert.is((await run(program, undefined, restricted)).stdout, 'INFERENCE_FAILED\n');
});

test('process.exit in the middle of a window gives its exit code', async () => {
  assert.is((await run(`${OPEN_AND_RUN} process.exit(7);`)).code, 7);
});

test('an uncaught exception in the middle of a window gives exit code 1', async () => {
  assert.is((await run(`${OPEN_AND_RUN} setTimeout(() => { throw new Error('oops'); });  await call;`)).code, 1);
});

test('a signal ends the program in the middle of a window', async () => {
  const ended = await run(`${OPEN_AND_RUN} console.log('running'); await call;`, (kill) => kill('SIGINT'));
  assert.is(ended.signal, 'SIGINT');
});

test('a program that handles a signal disposes in the middle of a window and ends with its own code', async () => {
  const program = `${OPEN_AND_RUN}
    process.once('SIGINT', async () => { await flavr.dispose(); process.exitCode = 130; });
    console.log('running');
    await call.catch((error) => console.log(error.code));
  `;
  const ended = await run(program, (kill) => kill('SIGINT'));
  assert.is(ended.code, 130);
  assert.is(ended.stdout, 'running\nDISPOSED\n');
});

test('the process that runs the model ends with a program that was killed', async () => {
  const program = `
    import { readFileSync } from 'node:fs';
    ${OPEN_AND_RUN}
    const children = readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim();
    console.log(children);
    await call;
  `;
  if (process.platform !== 'linux') {
    console.log('SKIPPED the model’s process ends with its program: the test reads /proc');
    return;
  }
  const { stdout } = await run(program, (kill) => kill('SIGKILL'));
  const child = Number(stdout.trim());
  assert.ok(child > 0);
  const lives = () => {
    try {
      return process.kill(child, 0);
    } catch {
      return false;
    }
  };
  while (lives()) await new Promise((resolve) => setTimeout(resolve, 50));
});

test.run();
