import type { Dirent } from 'node:fs';
import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, dirname, join, relative } from 'node:path';
import { FlavrError } from '../errors.js';
import { naturalOrder, numbering, numberSteps, usualStep } from '../natural-order.js';
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
const images = (folder: string, expected: string): Promise<string[]> =>
  pick(folder, expected, ({ name }) => IMAGE.test(name));

/**
 * The frames of a clip with the names of those put in whose numbers are missing, so that no window closes over a hole: a
 * sample that needs such a frame fails by its name. Where the numbers count something else, such as milliseconds, the
 * frames are taken as they are.
 */
function withMissing(frames: readonly string[]): string[] {
  const names = frames.map((path) => basename(path));
  const numbers = numbering(names) ?? [];
  const steps = numberSteps(numbers);
  const refuse = (expected: string, at: number) =>
    invalidDataset(dirname(frames[0]!), expected, `${names[at]}, and after it ${names[at + 1]}`);
  if (steps.includes(0)) throw refuse('one frame for each number', steps.indexOf(0));
  const usual = usualStep(steps);
  const hole = steps.findIndex((step) => step > usual);
  if (hole < 0 || steps.some((step) => step % usual !== 0)) return [...frames];
  const missing = steps.reduce((sum, step) => sum + step / usual - 1, 0);
  if (missing > frames.length) throw refuse('the frames of one clip, few of them missing', hole);
  return frames.flatMap((path, i) => {
    const { before, digits, after } = numbers[i]!;
    return Array.from({ length: (steps[i] ?? usual) / usual }, (_, j) => {
      const number = String(Number(digits) + j * usual).padStart(digits.length, '0');
      return j === 0 ? path : join(dirname(path), `${before}${number}${after}`);
    });
  });
}

/** The frames of the clip in a folder, as paths in order of time, those included that are missing. */
export const framesIn = async (folder: string, expected: string): Promise<string[]> =>
  withMissing(await images(folder, expected));

/** The frames of one clip, in order of time. */
export interface Clip {
  readonly sequence: string;
  readonly frames: string[];
}

/** Clips of one folder each, as `folders` gives them. */
export const clipsIn = (homes: readonly string[], expected: string): Promise<Clip[]> =>
  Promise.all(homes.map(async (home) => ({ sequence: basename(home), frames: await framesIn(home, expected) })));

/** Clips whose frames lie in one folder, named CLIP-001.png … */
export async function mixedClips(folder: string, expected: string): Promise<Clip[]> {
  const clips = groupBy(await images(folder, expected), (path) => basename(path).replace(/-\d+\.\w+$/, ''));
  return [...clips].map(([sequence, frames]) => ({ sequence, frames: withMissing(frames) }));
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
