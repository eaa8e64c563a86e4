import { execFile } from 'node:child_process';
import { existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type Kinds, PATH } from '../arguments.js';

/** Where a candidate was looked for, in the words of the report. */
export type SearchPlace = 'tensorrtPath' | 'FLAVR_TENSORRT_PATH' | 'loader path' | 'Python packages';

export interface LibraryCandidate {
  /** A path, or a bare name for the loader's own search. */
  readonly name: string;
  readonly place: SearchPlace;
}

/** The libraries by the name of their interface's version, newest first: TensorRT before TensorRT-RTX. */
export const LIBRARY_NAMES = ['libnvinfer.so.11', 'libnvinfer.so.10', 'libtensorrt_rtx.so.1'] as const;

/** Folders of Python packages in which TensorRT's wheels put their libraries. */
const WHEEL_FOLDERS = ['tensorrt_libs', 'tensorrt_rtx_libs'];

/** Where to look for TensorRT. */
export interface SearchOptions {
  /** A TensorRT library, or a folder with one. */
  readonly tensorrtPath?: string | undefined;
}

export const SEARCH_OPTIONS: Kinds<SearchOptions> = { tensorrtPath: PATH };

/** The files behind a path that someone named: the file itself, or the libraries in the folder or its `lib`. */
function candidatesAt(path: string, place: SearchPlace): LibraryCandidate[] {
  if (!existsSync(path) || !statSync(path).isDirectory()) return [{ name: path, place }];
  const found = [path, join(path, 'lib')].flatMap((folder) =>
    LIBRARY_NAMES.map((name) => join(folder, name)).filter((file) => existsSync(file)),
  );
  // The folder itself stands for "nothing in it": opening it fails with a reason that names it.
  return found.length > 0 ? found.map((name) => ({ name, place })) : [{ name: path, place }];
}

/** The site-packages folders of the Python on PATH; none where there is no Python. */
function pythonPackageFolders(): Promise<string[]> {
  const script = 'import json, site; print(json.dumps([*site.getsitepackages(), site.getusersitepackages()]))';
  return new Promise((resolve) => {
    execFile('python3', ['-c', script], { timeout: 10_000 }, (error, stdout) => {
      try {
        resolve(error ? [] : (JSON.parse(stdout) as string[]));
      } catch {
        resolve([]);
      }
    });
  });
}

/**
 * Where TensorRT may be, in the order in which it is taken: the option, else `FLAVR_TENSORRT_PATH`, else the loader's own
 * path and then the packages of the Python on PATH. A named path is the only candidate: what someone chose is never
 * replaced by something else that happens to be installed.
 */
export async function libraryCandidates(options: SearchOptions = {}): Promise<LibraryCandidate[]> {
  if (options.tensorrtPath !== undefined) return candidatesAt(options.tensorrtPath, 'tensorrtPath');
  const variable = process.env.FLAVR_TENSORRT_PATH;
  if (variable) return candidatesAt(variable, 'FLAVR_TENSORRT_PATH');
  const wheels = (await pythonPackageFolders())
    .flatMap((folder) => WHEEL_FOLDERS.map((wheel) => join(folder, wheel)))
    .filter((folder) => existsSync(folder))
    .flatMap((folder) => candidatesAt(folder, 'Python packages'));
  return [...LIBRARY_NAMES.map((name): LibraryCandidate => ({ name, place: 'loader path' })), ...wheels];
}
