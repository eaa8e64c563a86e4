import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FlavrError } from './errors.js';

const read = (folder: string): { name?: string; version: string } =>
  JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/**
 * The folder that holds flavr's package.json. Found by walking up, because compiled files lie at different depths in the
 * published package and in the test build.
 * @param from a module of flavr's.
 * @throws FlavrError `BACKEND_UNAVAILABLE` where a bundler has put flavr's code among another package's.
 */
export function packageRoot(from = import.meta.url): string {
  let folder = dirname(fileURLToPath(from));
  while (!existsSync(join(folder, 'package.json')) || read(folder).name !== 'flavr') {
    const parent = dirname(folder);
    if (parent === folder) {
      throw new FlavrError(
        'BACKEND_UNAVAILABLE',
        `flavr runs beside its own files (models, addon, programs), and ${fileURLToPath(from)} is not. Where a bundler is used, name flavr as external (esbuild --external:flavr, webpack externals, Next.js serverExternalPackages); else reinstall it.`,
      );
    }
    folder = parent;
  }
  return folder;
}

/** flavr's own version, from package.json. */
export const packageVersion = (): string => read(packageRoot()).version;
