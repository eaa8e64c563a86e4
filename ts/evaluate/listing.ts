import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, relative } from 'node:path';
import { FlavrError } from '../errors.js';
import { naturalOrder } from '../natural-order.js';
import { groupBy } from './group-by.js';

const IMAGE = /\.(png|jpe?g|tiff?|webp)$/i;

export function invalidDataset(folder: string, expected: string, found: string): FlavrError {
  return new FlavrError('DATASET_INVALID', `${folder}: expected ${expected}; found ${found}.`);
}

/** What is in a folder, in natural order. Hidden files are no data, such as the `._` twin that macOS gives to each file. */
async function entries(folder: string, expected: string): Promise<Dirent[]> {
  const all = await readdir(folder, { withFileTypes: true }).catch((error) => {
    throw invalidDataset(folder, expected, error.code === 'ENOTDIR' ? 'a file' : 'no such folder');
  });
  return all.filter(({ name }) => !name.startsWith('.')).sort((a, b) => naturalOrder(a.name, b.name));
}

// Enough to see which data set a folder is of.
const MOST_NAMES = 4;

/** What a folder holds, for messages. */
function contents(names: readonly string[]): string {
  if (names.length === 0) return 'nothing';
  const more = names.length > MOST_NAMES ? ` and ${names.length - MOST_NAMES} more` : '';
  return `${names.slice(0, MOST_NAMES).join(', ')}${more}`;
}

/** The paths of those in a folder that `wanted` takes. @throws FlavrError `DATASET_INVALID` if there is none. */
async function pick(folder: string, expected: string, wanted: (entry: Dirent) => boolean): Promise<string[]> {
  const all = await entries(folder, expected);
  const found = all.filter(wanted);
  if (found.length === 0) throw invalidDataset(folder, expected, contents(all.map(({ name }) => name)));
  return found.map(({ name }) => join(folder, name));
}

/** The folders in a folder, in natural order, as paths. */
export const folders = (folder: string, expected: string): Promise<string[]> =>
  pick(folder, expected, (entry) => entry.isDirectory());

/** The image files in a folder, in natural order, as paths. */
export const images = (folder: string, expected: string): Promise<string[]> =>
  pick(folder, expected, ({ name }) => IMAGE.test(name));

/** The frames of one clip, in order of time. */
export interface Clip {
  readonly sequence: string;
  readonly frames: string[];
}

/** Clips of one folder each, as `folders` gives them. */
export const clipsIn = (homes: readonly string[], expected: string): Promise<Clip[]> =>
  Promise.all(homes.map(async (home) => ({ sequence: basename(home), frames: await images(home, expected) })));

/** Clips whose frames lie in one folder, named CLIP-001.png … */
export async function mixedClips(folder: string, expected: string): Promise<Clip[]> {
  const clips = groupBy(await images(folder, expected), (path) => basename(path).replace(/-\d+\.\w+$/, ''));
  return [...clips].map(([sequence, frames]) => ({ sequence, frames }));
}

/** The lines of a text file in a data set that are not blank. */
export async function lines(folder: string, name: string, expected: string): Promise<string[]> {
  const [path] = await pick(folder, expected, (entry) => entry.name === name);
  const text = await readFile(path!, 'utf8');
  return text.split(/\r?\n/).filter((line) => line.trim() !== '');
}

/**
 * A path that a list in the data set names, which must stay inside the data set: lists are files of others.
 */
export function inside(folder: string, name: string): string {
  const path = join(folder, name);
  if (relative(folder, path).startsWith('..')) {
    throw invalidDataset(folder, 'lists that name files of the data set', `"${name}"`);
  }
  return path;
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
