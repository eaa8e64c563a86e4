import { execFile } from 'node:child_process';
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../../ts/package.js';

const run = promisify(execFile);
const root = packageRoot();

// A user's environment: no settings of the npm that started this test, nor a machine's own nodedir.
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^npm_(?!config_cache)/i.test(name)));

let folder: string;
let tarball: string;
let files: string[];
let sample: string;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'flavr-pack-'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: root, env });
  // `prepare` prints its own lines before npm's document, which is a list or a record by npm's version.
  const document = JSON.parse(stdout.slice(stdout.search(/^[[{]\s*$/m)));
  const packed = (Array.isArray(document) ? document[0] : Object.values(document)[0]) as {
    filename: string;
    files: { path: string }[];
  };
  tarball = join(folder, packed.filename);
  sample = join(folder, 'node_modules', 'flavr', 'samples', 'bunny.mp4');
  files = packed.files.map(({ path }) => path);
});

test.after(() => rm(folder, { recursive: true, force: true }));

test('the tarball holds what users need and nothing else', () => {
  const stray = files.filter(
    (path) =>
      !/^(dist|docs|models|samples|prebuilds)\/|^(package\.json|README\.md|CHANGELOG\.md|LICENSE|scripts\/install\.mjs)$/.test(
        path,
      ),
  );
  assert.equal(stray, []);
  for (const path of [
    'dist/index.js',
    'dist/index.d.ts',
    'dist/cli/main.js',
    'samples/bunny.mp4',
    ...['mini-2x', 'mini-4x', 'mini-8x'].map((name) => `models/${name}.safetensors`),
    'LICENSE',
    'README.md',
  ]) {
    assert.ok(files.includes(path), `${path} is missing`);
  }
});

test('installed with its peers and no scripts, it runs the main job with no network', async () => {
  await writeFile(join(folder, 'package.json'), '{ "private": true }');
  const { devDependencies } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
  const peers = ['onnxruntime-node', 'node-av', 'sharp'].map((peer) => `${peer}@${devDependencies[peer]}`);
  // What npm has fetched before is not asked for again: hundreds of megabytes, and a question to the registry for each package.
  const frugal = ['--prefer-offline', '--no-audit', '--no-fund'];
  await run('npm', ['install', '--ignore-scripts', ...frugal, tarball, ...peers], { cwd: folder, env });
  const cli = join(folder, 'node_modules', '.bin', 'flavr');
  const words = ['interpolate', sample, '-o', 'out.mp4', '--json'];
  const job = [cli, ...words, '--duration', '0.2'];
  const offline = await run('unshare', ['-rn', 'true']).then(
    () => ['unshare', '-rn', ...job],
    () => {
      console.log('NOTE the network was not cut: unshare is not permitted here');
      return job;
    },
  );
  const { stdout } = await run(offline[0]!, offline.slice(1), { cwd: folder, env });
  const summary = JSON.parse(stdout);
  assert.is(summary.framesIn, 5);
  assert.is(summary.framesOut, 9);
});

// As strictly as a user may compile, the package's own declarations included, and with no newer library.
const STRICT =
  '--noEmit --strict --exactOptionalPropertyTypes --noUncheckedIndexedAccess --skipLibCheck false --target es2022';

test('its types hold in every kind of module, without those of Node too, and in the examples of the documents', async () => {
  const use = `
    import { exportOnnx, FlavrError, Interpolator, type Frame, rational, type TimedFrame } from 'flavr';
    import { evaluateMethods, psnr } from 'flavr/evaluate';
    import { interpolateVideo, type VideoSummary } from 'flavr/video';

    export async function smooth(frames: Frame[]): Promise<number | FlavrError> {
      const flavr = await Interpolator.open({ width: 64, height: 48, k: [2, 4] });
      const source: TimedFrame[] = frames.map((data, n) => ({ data, time: rational(n, 24) }));
      for await (const { data, original } of flavr.streamTimed(source, { fps: 60 })) if (!original) flavr.release(data);
      await flavr[Symbol.asyncDispose]();
      const factor = frames.length > 2 ? 2 : undefined;
      await exportOnnx('mini-2x', { width: 64, height: 48, factor });
      const { sets } = await evaluateMethods({ dataset: 'video', data: 'in.mp4', methods: [] });
      for (const { methods } of sets) for (const { method } of methods) console.log(method);
      const summary: VideoSummary = await interpolateVideo('in.mp4', 'out.mp4');
      return summary.framesOut + psnr({ data: frames[0]!, width: 64, height: 48 }, { data: frames[1]!, width: 64, height: 48 });
    }
  `;
  const internal = `import { Interpolator } from 'flavr';
    // @ts-expect-error
    export const open = Interpolator.openOn;`;
  const programs: Record<string, string> = { 'use.mts': use, 'use.cts': use, 'internal.mts': internal };
  for (const page of ['README.md', 'docs/evaluate.md', 'docs/int8.md']) {
    const snippets = (await readFile(join(root, page), 'utf8')).matchAll(/^```(?:ts|js run)\n([\s\S]*?)^```$/gm);
    for (const [, code] of snippets) programs[`${basename(page)}-${Object.keys(programs).length}.mts`] = code!;
  }
  assert.is(Object.keys(programs).length, 8);
  for (const [name, text] of Object.entries(programs)) await writeFile(join(folder, name), text);
  const tsc = join(root, 'node_modules', 'typescript', 'bin', 'tsc');
  const types = join(root, 'node_modules', '@types');
  for (const kind of [
    ['--module', 'nodenext', '--lib', 'es2022', '--typeRoots', types, '--types', 'node'],
    ['--module', 'esnext', '--moduleResolution', 'bundler', '--lib', 'es2022', '--typeRoots', types, '--types', 'node'],
    ['--module', 'nodenext', '--lib', 'es2022,dom', '--types', ''],
  ]) {
    const words = [...STRICT.split(' '), ...kind];
    const wrong = run(process.execPath, [tsc, ...words, ...Object.keys(programs)], { cwd: folder, env });
    assert.is((await wrong.catch((error) => error)).stdout, '');
  }
});

test('CommonJS can require it where Node can require modules', async () => {
  const program = `const { Interpolator } = require('flavr'); console.log(typeof Interpolator.open)`;
  const { stdout, stderr } = await run(process.execPath, ['-e', program], { cwd: folder, env });
  assert.equal([stdout, stderr], ['function\n', '']);
});

const readme = await readFile(join(root, 'README.md'), 'utf8');
const examples = [...readme.matchAll(/^```js run\n([\s\S]*?)^```$/gm)].map(([, code]) => code!);

test('the README shows a whole video, frames in memory, and a stream', () => {
  assert.is(examples.length, 3);
});

examples.forEach((code, i) => {
  test(`example ${i + 1} of the README runs as it stands`, async () => {
    await cp(join(root, 'samples'), join(folder, 'samples'), { recursive: true });
    await writeFile(join(folder, `example-${i}.mjs`), code);
    const { stdout } = await run(process.execPath, [`example-${i}.mjs`], { cwd: folder, env });
    assert.ok(stdout.length > 0);
  });
});

test('every relative link of the README leads somewhere', async () => {
  for (const [, target] of readme.matchAll(/\]\((?!https?:)([^)#]+)[^)]*\)/g)) {
    await readFile(join(root, target!));
  }
});

test('without its peers, the command says which package to install', async () => {
  await run('npm', ['uninstall', '--ignore-scripts', 'node-av'], { cwd: folder, env });
  const cli = join(folder, 'node_modules', '.bin', 'flavr');
  const failure = await run(cli, ['interpolate', sample, '-o', 'missing.mp4'], { cwd: folder, env }).catch(
    (error) => error,
  );
  assert.is(failure.code, 1);
  assert.match(failure.stderr, /^flavr: PEER_MISSING: .*npm install --ignore-scripts node-av\n$/m);
});

test.run();
