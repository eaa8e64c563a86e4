import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isEngineFile, readEngine, readEngineHeader, writeEngine } from '../../ts/engine/file.js';
import type { FlavrError } from '../../ts/errors.js';
import { engineOf, temporaryFolder } from './support.js';

const folder = temporaryFolder();

const ENGINE = engineOf(5000);

async function written(name: string): Promise<string> {
  const path = join(folder, name);
  await writeEngine(path, ENGINE);
  return path;
}

async function refusal(run: Promise<unknown>): Promise<FlavrError> {
  return run.then(
    () => assert.unreachable('should have been refused'),
    (error) => error,
  );
}

test('an engine comes back from its file as it was', async () => {
  const read = await readEngine(await written('whole.engine'));
  assert.equal(read.header, ENGINE.header);
  assert.equal(new Uint8Array(read.plan), ENGINE.plan);
});

test('the header alone is read without the plan', async () => {
  assert.equal(await readEngineHeader(await written('header.engine')), { ...ENGINE.header, planBytes: 5000 });
});

test('a process that exits before an engine is whole leaves nothing of it', () => {
  const place = temporaryFolder();
  const program = `
    import fsPromises from 'node:fs/promises';
    import { syncBuiltinESMExports } from 'node:module';
    fsPromises.rename = () => process.exit(7);
    syncBuiltinESMExports();
    const { writeEngine } = await import(${JSON.stringify(new URL('../../ts/engine/file.js', import.meta.url).href)});
    await writeEngine(process.argv[1], { header: ${JSON.stringify(ENGINE.header)}, plan: new Uint8Array(10) });`;
  const words = ['--input-type=module', '-e', program, join(place, 'a.engine')];
  assert.is(spawnSync(process.execPath, words).status, 7);
  assert.equal(readdirSync(place), []);
});

test('writing leaves nothing but the file, and replaces an older one', async () => {
  const place = temporaryFolder();
  await writeEngine(join(place, 'a.engine'), ENGINE);
  await writeEngine(join(place, 'a.engine'), { ...ENGINE, plan: new Uint8Array(10) });
  assert.equal(readdirSync(place), ['a.engine']);
  assert.is((await readEngine(join(place, 'a.engine'))).plan.length, 10);
});

test('a file is recognised by its first bytes', async () => {
  assert.ok(isEngineFile(readFileSync(await written('magic.engine')).subarray(0, 32)));
  assert.not(isEngineFile(Buffer.from('PK\u0003\u0004 some other file')));
  assert.not(isEngineFile(new Uint8Array(3)));
});

test('a missing file is MODEL_NOT_FOUND, and so is a folder', async () => {
  assert.is((await refusal(readEngineHeader(folder))).code, 'MODEL_NOT_FOUND');
  assert.is((await refusal(readEngine(join(folder, 'none.engine')))).code, 'MODEL_NOT_FOUND');
});

test('every cut of a file is refused', async () => {
  const path = await written('cut.engine');
  const { length } = readFileSync(path);
  for (const size of [length - 1, length - 5000, 300, 20, 19, 5, 0]) {
    truncateSync(path, size);
    assert.is((await refusal(readEngineHeader(path))).code, 'ENGINE_INCOMPATIBLE', `${size} bytes`);
  }
});

test('a changed plan is refused by its checksum', async () => {
  const path = await written('changed.engine');
  const bytes = readFileSync(path);
  bytes[bytes.length - 100]! ^= 1;
  writeFileSync(path, bytes);
  const error = await refusal(readEngine(path));
  assert.is(error.code, 'ENGINE_INCOMPATIBLE');
  assert.match(error.message, /checksum.*flavr build/);
});

test('a header that claims more than the file has takes no memory', async () => {
  const path = await written('claim.engine');
  const bytes = readFileSync(path);
  bytes.writeUInt32LE(0xffffffff, 18);
  writeFileSync(path, bytes);
  assert.match((await refusal(readEngineHeader(path))).message, /header claims 4294967295 bytes/);
});

test('a header of other JSON is refused', async () => {
  const path = join(folder, 'other.engine');
  const magic = readFileSync(await written('for-magic.engine')).subarray(0, 18);
  for (const json of ['null', '[]', '{"width":64}', 'not json']) {
    const prefix = Buffer.alloc(4);
    prefix.writeUInt32LE(json.length);
    writeFileSync(path, Buffer.concat([magic, prefix, Buffer.from(json)]));
    assert.is((await refusal(readEngineHeader(path))).code, 'ENGINE_INCOMPATIBLE', json);
  }
});

const { model, estimate } = ENGINE.header;
for (const [what, fields] of [
  ['a model without a name', { model: { ...model, name: undefined } }],
  ['a model whose name is no text', { model: { ...model, name: { toString: 1 } } }],
  ['an estimate that lacks a figure', { estimate: { ...estimate, paperFlops: undefined } }],
  ['a target of an unknown kind', { target: { kind: 'moon' } }],
  ['a target without its compute capabilities', { target: { kind: 'capabilities' } }],
  ['a target without its device', { target: { kind: 'device' } }],
  ['no target', { target: null }],
] as const) {
  test(`a header with ${what} is refused`, async () => {
    const path = join(folder, 'field.engine');
    await writeEngine(path, { ...ENGINE, header: { ...ENGINE.header, ...fields } as never });
    const error = await refusal(readEngineHeader(path));
    assert.is(error.code, 'ENGINE_INCOMPATIBLE');
    assert.match(error.message, /lacks fields/);
  });
}

test('where nothing can be written it is said why', async () => {
  const error = await refusal(writeEngine(join(folder, 'none', 'a.engine'), ENGINE));
  assert.is(error.code, 'VIDEO_UNWRITABLE');
  assert.match(error.message, /a\.engine cannot be written: its folder does not exist/);
});

test.run();
