import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { packageRoot } from '../../ts/package.js';

const folder = mkdtempSync(join(tmpdir(), 'flavr-root-'));
test.after(() => rmSync(folder, { recursive: true }));

const rootBeside = (name: string) => {
  mkdirSync(join(folder, name, 'dist'), { recursive: true });
  writeFileSync(join(folder, name, 'package.json'), JSON.stringify({ name }));
  return packageRoot(pathToFileURL(join(folder, name, 'dist', 'index.js')).href);
};

test('the package is found above its modules', () => {
  assert.is(rootBeside('flavr'), join(folder, 'flavr'));
});

test("code that was bundled into another package does not take that one's files for its own", () => {
  assert.throws(
    () => rootBeside('service'),
    ({ code, message }: { code: string; message: string }) =>
      code === 'BACKEND_UNAVAILABLE' && /service\/dist\/index\.js.*bundler.*--external:flavr/.test(message),
  );
});

test.run();
