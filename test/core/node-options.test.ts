import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { Interpolator } from '../../ts/interpolator.js';

const folder = mkdtempSync(join(tmpdir(), 'flavr node options-'));
test.after(() => rmSync(folder, { recursive: true }));

/** A module that leaves a file where it was loaded, as NODE_OPTIONS names it; the path has a blank. */
function hook(name: string): { readonly option: string; readonly loaded: () => boolean } {
  const [path, trace] = [join(folder, name), join(folder, `${name}.loaded`)];
  writeFileSync(path, `require('node:fs').writeFileSync(${JSON.stringify(trace)}, '');`);
  return { option: `--require ${JSON.stringify(path)}`, loaded: () => existsSync(trace) };
}

test("the model's process takes over Yarn's Plug'n'Play from NODE_OPTIONS, and no hook of the program's own", async () => {
  const [own, yarn] = [hook('own.cjs'), hook('.pnp.cjs')];
  process.env.NODE_OPTIONS = `${own.option} --no-warnings ${yarn.option}`;
  const flavr = await Interpolator.open({ width: 16, height: 16, backend: 'cpu' }).finally(() => {
    delete process.env.NODE_OPTIONS;
  });
  await flavr.dispose();
  assert.equal([own.loaded(), yarn.loaded()], [false, true]);
});

test.run();
