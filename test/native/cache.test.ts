import { execFile, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { BuildEngineOptions, BuildPlan } from '../../ts/engine/build.js';
import { cachedEngine, cacheKey, defaultCacheFolder, EngineCache } from '../../ts/engine/cache.js';
import { type Engine, writeEngine } from '../../ts/engine/file.js';
import { withLock } from '../../ts/engine/lock.js';
import type { FlavrError } from '../../ts/errors.js';
import type { Model } from '../../ts/model/config.js';
import { goldenModel } from '../graph/support.js';
import { GOLDENS } from '../support/goldens.js';
import { compileDriver, engineOf, inChild, RTX_FOLDER, temporaryFolder, testWith } from './support.js';

const never = async (): Promise<Engine> => {
  throw new Error('should not be built');
};

test('an engine is built once and found after that', async () => {
  const cache = new EngineCache(temporaryFolder());
  const first = await cache.take('key', async () => engineOf(100));
  const second = await cache.take('key', never);
  assert.equal([first.built, second.built], [true, false]);
  assert.equal(new Uint8Array(second.engine.plan), engineOf(100).plan);
  assert.is(second.engine.header.cacheKey, 'key');
});

test('the folder is made for its user alone', async () => {
  const folder = join(temporaryFolder(), 'deep', 'cache');
  await new EngineCache(folder).take('key', async () => engineOf(100));
  assert.is(statSync(folder).mode & 0o777, 0o700);
});

test('a damaged file is built again, with a notice', async () => {
  const cache = new EngineCache(temporaryFolder());
  const { path } = await cache.take('key', async () => engineOf(100));
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
  const notices: string[] = [];
  const again = await cache.take('key', async () => engineOf(50), { onNotice: (notice) => notices.push(notice) });
  assert.is(again.built, true);
  assert.is((await cache.take('key', never)).engine.plan.length, 50);
  assert.equal(notices, [`${path} is damaged; it is built again.`]);
});

test('another key’s engine under this name is built again', async () => {
  const cache = new EngineCache(temporaryFolder());
  mkdirSync(cache.folder, { recursive: true });
  await writeEngine(join(cache.folder, 'key.engine'), engineOf(100));
  assert.is((await cache.take('key', async () => engineOf(60))).built, true);
});

test('the kernels of an engine that is built again are dropped', async () => {
  const cache = new EngineCache(temporaryFolder());
  const { kernelCache, path } = await cache.take('key', async () => engineOf(100));
  writeFileSync(kernelCache, 'compiled for the old engine');
  writeFileSync(path, 'damaged');
  await cache.take('key', async () => engineOf(100));
  assert.not(existsSync(kernelCache));
});

test('over the limit the engines used least recently go, with their kernels, but never the new one', async () => {
  const cache = new EngineCache(temporaryFolder(), 6000);
  for (const [i, key] of ['a', 'b', 'c'].entries()) {
    const { path, kernelCache } = await cache.take(key, async () => engineOf(1000));
    writeFileSync(kernelCache, 'x');
    utimesSync(path, 1000 + i, 1000 + i);
  }
  await cache.take('a', never);
  const { path } = await cache.take('new', async () => engineOf(3000));
  assert.ok(existsSync(path));
  assert.equal(readdirSync(cache.folder).sort(), ['a.engine', 'a.kernels', 'new.engine']);
});

test('an engine that cannot be removed is named', async () => {
  const cache = new EngineCache(temporaryFolder());
  mkdirSync(join(cache.folder, 'key.engine'));
  const error: FlavrError = await cache.discard('key').catch((e) => e);
  assert.is(error.code, 'VIDEO_UNWRITABLE');
  assert.match(error.message, /key\.engine cannot be written/);
});

test('usage counts engines and their kernels', async () => {
  const cache = new EngineCache(temporaryFolder(), 12345);
  const { path, kernelCache } = await cache.take('key', async () => engineOf(1000));
  writeFileSync(kernelCache, 'four');
  const { folder, limitBytes } = cache;
  assert.equal(await cache.usage(), { folder, engines: 1, bytes: readFileSync(path).length + 4, limitBytes });
  assert.is((await new EngineCache('/nowhere').usage()).engines, 0);
});

test('what the build throws leaves no lock and no file', async () => {
  const cache = new EngineCache(temporaryFolder());
  const broken = new Error('no engine');
  const error = await cache.take('key', () => Promise.reject(broken)).catch((e) => e);
  assert.is(error, broken);
  assert.equal(readdirSync(cache.folder), []);
});

const TAKER = `
import { EngineCache } from ${JSON.stringify(resolve('.test-build/ts/engine/cache.js'))};
import { engineOf } from ${JSON.stringify(resolve('.test-build/test/native/support.js'))};
const [folder, ...keys] = process.argv.slice(1);
for (const key of keys) {
  const outcome = await new EngineCache(folder).take(key, async () => engineOf(1e6)).catch((error) => error);
  console.log(outcome.code ? outcome.code + ': ' + outcome.message : outcome.built ? 'built' : 'found');
}
`;

/** What taking each key gives from a folder that the words of a shell made unwritable, and what is in it then. */
function takeFrom(folder: string, mount: string, ...keys: string[]): string[] | undefined {
  const script = `${mount} && "$@"; ls "$0"`;
  const words = ['-rm', 'sh', '-c', script, folder, process.execPath, '--input-type=module', '-e', TAKER, folder];
  if (spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', folder]).status !== 0) {
    console.log('SKIPPED a folder that cannot be written to: mounting a file system is not permitted here');
    return undefined;
  }
  return spawnSync('unshare', [...words, ...keys], { encoding: 'utf8' })
    .stdout.trimEnd()
    .split('\n');
}

test('engines of a folder that may only be read are used; one that is not there is refused with the way out', async () => {
  const folder = temporaryFolder();
  await new EngineCache(folder).take('key', async () => engineOf(100));
  const mount = 'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0"';
  const [found, refused, ...left] = takeFrom(folder, mount, 'key', 'other') ?? [];
  if (found === undefined) return;
  assert.is(found, 'found');
  assert.match(refused!, /^BAD_ARGUMENT: .* cannot be written to .*Set cacheDir, or XDG_CACHE_HOME/);
  assert.equal(left, ['key.engine']);
});

for (const [what, size] of [
  ['the engine', '500k'],
  ['the lock', '4k'],
]) {
  test(`where the disk has no room for ${what}, it is said, and nothing is left`, () => {
    const fill = size === '4k' ? ' && head -c 4096 /dev/zero >"$0/full"' : '';
    const [refused, ...left] =
      takeFrom(temporaryFolder(), `mount -t tmpfs -o size=${size} tmpfs "$0"${fill}`, 'key') ?? [];
    if (refused === undefined) return;
    assert.match(refused, /^VIDEO_UNWRITABLE: .*the disk is full/);
    assert.equal(
      left.filter((name) => name !== 'full' && name !== ''),
      [],
    );
  });
}

test('a folder that cannot be made is refused with the way out', async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  const error: FlavrError = await new EngineCache(join(file, 'cache')).take('key', never).catch((e) => e);
  assert.is(error.code, 'BAD_ARGUMENT');
  assert.match(error.message, /file\/cache cannot be written to.*Set cacheDir/);
});

const BUILDER = `
import { appendFileSync } from 'node:fs';
import { EngineCache } from ${JSON.stringify(resolve('.test-build/ts/engine/cache.js'))};
import { engineOf } from ${JSON.stringify(resolve('.test-build/test/native/support.js'))};
const [folder] = process.argv.slice(1);
await new EngineCache(folder).take('key', async () => {
  appendFileSync(folder + '.log', process.pid + '\\n');
  await new Promise((resolve) => setTimeout(resolve, process.env.HANG ? 1e9 : 300));
  return engineOf(1000);
});
console.log('have it');
`;
const builder = (folder: string) => ['--input-type=module', '-e', BUILDER, folder];

test('of several processes that want one engine, one builds it', async () => {
  const folder = join(temporaryFolder(), 'cache');
  const outputs = await Promise.all(
    Array.from({ length: 4 }, () => {
      return new Promise<string>((done, fail) => {
        execFile(process.execPath, builder(folder), (error, stdout) => (error ? fail(error) : done(stdout)));
      });
    }),
  );
  assert.equal(outputs, Array(4).fill('have it\n'));
  assert.is(readFileSync(`${folder}.log`, 'utf8').trim().split('\n').length, 1);
  assert.equal(readdirSync(folder), ['key.engine']);
});

test('a builder that was killed is replaced by one that waits', async () => {
  const folder = join(temporaryFolder(), 'cache');
  const child = spawn(process.execPath, builder(folder), { env: { ...process.env, HANG: '1' } });
  const ended = once(child, 'exit');
  while (!existsSync(`${folder}.log`)) await new Promise((done) => setTimeout(done, 20));
  const waiting = new EngineCache(folder).take('key', async () => engineOf(500));
  child.kill('SIGKILL');
  await ended;
  assert.is((await waiting).built, true);
});

test('waiting for a lock ends with CACHE_LOCKED after the time given', async () => {
  const path = join(temporaryFolder(), 'x.lock');
  await withLock(path, async () => {
    const error: FlavrError = await withLock(path, async () => {}, { waitMs: 0 }).catch((e) => e);
    assert.is(error.code, 'CACHE_LOCKED');
    assert.match(error.message, /x\.lock has been held/);
  });
});

test('waiting for a lock can be aborted', async () => {
  const path = join(temporaryFolder(), 'x.lock');
  const abort = new AbortController();
  await withLock(path, async () => {
    const options = { signal: abort.signal, onWait: () => abort.abort() };
    const error: FlavrError = await withLock(path, async () => {}, options).catch((e) => e);
    assert.is(error.code, 'ABORTED');
  });
});

test('a lock file that nobody has touched for long is taken over', async () => {
  const path = join(temporaryFolder(), 'x.lock');
  writeFileSync(path, JSON.stringify({ pid: process.pid, host: 'elsewhere', token: '' }));
  utimesSync(path, 1000, 1000);
  assert.is(await withLock(path, async () => 'mine', { waitMs: 0 }), 'mine');
});

test('the default folder follows XDG_CACHE_HOME', () => {
  const before = process.env.XDG_CACHE_HOME;
  process.env.XDG_CACHE_HOME = '/somewhere';
  assert.is(defaultCacheFolder(), '/somewhere/flavr/engines');
  process.env.XDG_CACHE_HOME = '';
  assert.match(defaultCacheFolder(), /\.cache\/flavr\/engines$/);
  if (before === undefined) delete process.env.XDG_CACHE_HOME;
  else process.env.XDG_CACHE_HOME = before;
});

test('the key changes with everything that changes the engine', async () => {
  const { model } = await goldenModel('tiny8-k2');
  const options: BuildEngineOptions = { backend: 'tensorrt', width: 64, height: 48 };
  const plan: BuildPlan = {
    library: { family: 'tensorrt-10', version: '10.15.1', path: '/a', place: 'loader path' },
    target: { kind: 'device', name: 'GPU', computeCapability: '8.9', cudaVersion: '13.0' },
  };
  const device = plan.target as Extract<BuildPlan['target'], { kind: 'device' }>;
  const other = (changes: Partial<BuildEngineOptions>) => cacheKey(model, { ...options, ...changes }, plan);
  const otherPlan = (changes: Partial<BuildPlan>) => cacheKey(model, options, { ...plan, ...changes });
  const keys = [
    cacheKey(model, options, plan),
    cacheKey({ ...model, hash: '1'.repeat(64) } as Model, options, plan),
    cacheKey({ ...model, config: { ...model.config, residual: 'blend' } } as Model, options, plan),
    other({ width: 72 }),
    other({ height: 56 }),
    other({ factor: 2 }),
    other({ batch: 2 }),
    other({ precision: 'fp32' }),
    other({ precision: 'tf32' }),
    other({ lowering: '2d' }),
    other({ workspaceBytes: 1 }),
    other({ optimizationLevel: 5 }),
    otherPlan({ library: { ...plan.library, version: '10.16.0' } }),
    otherPlan({ library: { ...plan.library, family: 'tensorrt-11' } }),
    otherPlan({ target: { ...device, name: 'Other' } }),
    otherPlan({ target: { ...device, computeCapability: '9.0' } }),
    otherPlan({ target: { ...device, cudaVersion: '13.1' } }),
    otherPlan({ target: { kind: 'portable' } }),
    otherPlan({ target: { kind: 'capabilities', computeCapabilities: ['8.9'] } }),
  ];
  assert.is(new Set(keys).size, keys.length);
  assert.is(otherPlan({ library: { ...plan.library, path: '/elsewhere' } }), keys[0]);
});

testWith(
  test,
  'addon',
  'rtx',
)('a real engine is built through the cache, and then found there', async () => {
  const { model } = await goldenModel('tiny8-k2');
  const folder = temporaryFolder();
  const options: BuildEngineOptions = { backend: 'tensorrt-rtx', tensorrtPath: RTX_FOLDER, width: 64, height: 48 };
  const first = await cachedEngine(model, options, folder);
  const second = await cachedEngine(model, options, folder);
  assert.equal([first.built, second.built], [true, false]);
  assert.ok(Buffer.from(second.engine.plan).equals(first.engine.plan));
});

testWith(
  test,
  'addon',
  'rtx',
)('what the cache has to say reaches the one who opens a session', async () => {
  const [driver, folder] = [temporaryFolder(), temporaryFolder()];
  compileDriver(driver, {
    cuDriverGetVersion: 'int cuDriverGetVersion(int* v) { *v = 13010; return 0; }',
    cuDeviceGetCount: 'int cuDeviceGetCount(int* n) { *n = 1; return 0; }',
    cuDeviceGetName: 'int cuDeviceGetName(char* s, int n, int d) { strncpy(s, "Stub", n); return 0; }',
    cuDeviceGetAttribute: 'int cuDeviceGetAttribute(int* v, int a, int d) { *v = a == 75 ? 8 : 9; return 0; }',
  });
  // The stand-in runs no engine: each opening fails after the cache has done its work.
  const source = `
    import { readdirSync, truncateSync } from 'node:fs';
    import { Interpolator } from ${JSON.stringify(resolve('.test-build/ts/index.js'))};
    const [model, folder] = ${JSON.stringify([resolve(GOLDENS, 'tiny8-k2.weights.safetensors'), folder])};
    const notices = [];
    const onNotice = (sentence) => notices.push(sentence);
    const open = () => Interpolator.open({ model, backend: 'tensorrt-rtx', width: 64, height: 48, cacheDir: folder, onNotice });
    await open().catch(() => {});
    for (const name of readdirSync(folder)) truncateSync(folder + '/' + name, 1000);
    await open().catch(() => {});
    console.log(JSON.stringify(notices));
    process.exit();`;
  const notices = inChild(source, { LD_LIBRARY_PATH: driver, FLAVR_TENSORRT_PATH: RTX_FOLDER }) as string[];
  assert.is(notices.length, 1);
  assert.match(notices[0]!, /\.engine is damaged; it is built again\.$/);
});

test.run();
