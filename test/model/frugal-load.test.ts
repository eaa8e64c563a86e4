import { execFileSync } from 'node:child_process';
import { closeSync, ftruncateSync, mkdtempSync, openSync, rmSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { readGolden } from '../support/goldens.js';
import { type FakeStorage, legacyHead, type Plain, tensor } from '../support/torch-files.js';

const test = suite('memory of loading');
const folder = mkdtempSync(join(tmpdir(), 'flavr-frugal-'));
test.after(() => rmSync(folder, { recursive: true }));

const MB = 2 ** 20;

/** A full-width checkpoint with Adam's two moments of every weight. All values are zero, so the file is nearly all holes. */
async function checkpointWithOptimizer(path: string): Promise<void> {
  const { tensors } = await readGolden('r18-k2');
  const storages: Record<string, FakeStorage> = {};
  const describe = (key: string, shape: readonly number[]) => {
    storages[key] = { type: 'FloatStorage', elements: shape.reduce((a, b) => a * b, 1), data: new Uint8Array(0) };
    return tensor({ storage: key, shape }, storages);
  };
  const weights = new Map<string, Plain>();
  const moments = new Map<string, Plain>();
  for (const [name, shape] of Object.entries(tensors)) {
    weights.set(`module.${name}`, describe(name, shape));
    const pair = new Map(['exp_avg', 'exp_avg_sq'].map((moment) => [moment, describe(`${name}.${moment}`, shape)]));
    moments.set(name, pair);
  }
  const root = new Map<string, Plain>([
    ['epoch', 199],
    ['state_dict', weights],
    ['optimizer', new Map([['state', moments]])],
  ]);
  const file = openSync(path, 'w');
  const head = legacyHead(root, Object.keys(storages));
  writeSync(file, head);
  let offset = head.length;
  for (const { elements } of Object.values(storages)) {
    const count = Buffer.alloc(8);
    count.writeBigUInt64LE(BigInt(elements!));
    writeSync(file, count, 0, 8, offset);
    offset += 8 + elements! * 4;
  }
  ftruncateSync(file, offset);
  closeSync(file);
}

test('a 480 MB checkpoint with optimizer state takes little more memory than its weights', async () => {
  const path = join(folder, 'full-width.pth');
  await checkpointWithOptimizer(path);
  const size = statSync(path).size / MB;
  assert.ok(size > 480, `${size} MB`);
  const script = `
    import { loadModel } from ${JSON.stringify(new URL('../../ts/model/load.js', import.meta.url).href)};
    const model = await loadModel(process.argv[1]);
    const bytes = [...model.tensors.values()].reduce((sum, { data }) => sum + data.byteLength, 0);
    console.log(JSON.stringify({ bytes, peak: process.resourceUsage().maxRSS * 1024 }));`;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script, path], { encoding: 'utf8' });
  const { bytes, peak } = JSON.parse(output) as { bytes: number; peak: number };
  const round = (value: number) => Math.round(value / MB);
  console.log(
    `\nNOTE loading a ${Math.round(size)} MB checkpoint with ${round(bytes)} MB of weights: peak ${round(peak)} MB resident`,
  );
  assert.is(round(bytes), 160);
  assert.ok(peak < bytes + 160 * MB, `peak ${round(peak)} MB`);
});

test.run();
