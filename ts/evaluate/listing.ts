import { readdir, readFile, stat } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { FlavrError } from '../errors.js';
import { naturalOrder } from '../natural-order.js';

const IMAGE = /\.(png|jpe?g|tiff?|webp)$/i;

export function invalidDataset(folder: string, expected: string, found: string): FlavrError {
  return new FlavrError('DATASET_INVALID', `${folder}: expected ${expected}; found ${found}.`);
}

async function entries(folder: string, expected: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch {
    throw invalidDataset(folder, expected, 'no such folder');
  }
}

/** The folders in a folder, as paths. @throws FlavrError `DATASET_INVALID` if there is none. */
export async function folders(folder: string, expected: string): Promise<string[]> {
  const names = (await entries(folder, expected)).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  if (names.length === 0) throw invalidDataset(folder, expected, 'no folders in it');
  return names.sort(naturalOrder).map((name) => join(folder, name));
}

/** The image files in a folder, in natural order, as paths. */
export async function images(folder: string, expected: string): Promise<string[]> {
  const names = (await entries(folder, expected)).map((entry) => entry.name).filter((name) => IMAGE.test(name));
  if (names.length === 0) throw invalidDataset(folder, expected, 'no images in it');
  return names.sort(naturalOrder).map((name) => join(folder, name));
}

/** The lines of a text file that are not blank. */
export async function lines(path: string, expected: string): Promise<string[]> {
  const text = await readFile(path, 'utf8').catch(() => {
    throw invalidDataset(path, expected, 'no such file');
  });
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
