import { randomBytes } from 'node:crypto';
import { link, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { FlavrError, type FlavrErrorCode } from '../errors.js';
import { forgetUnfinished, rememberUnfinished } from '../unfinished.js';

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'its folder does not exist',
  ENOTDIR: 'a part of its path is not a folder',
  EISDIR: 'a folder has that name',
  EACCES: 'its folder may not be written to',
  EPERM: 'its folder may not be written to',
  EROFS: 'its file system is read-only',
  ENOSPC: 'the disk is full; free some space and try again',
  EDQUOT: 'the disk quota is used up; free some space and try again',
  EFBIG: 'the file grew beyond what the file system or a limit of this process allows',
  ENAMETOOLONG: 'its name is too long',
};

/** A file system error as ours, saying which output could not be written and why. */
export function unwritable(path: string, error: unknown, code: FlavrErrorCode = 'VIDEO_UNWRITABLE'): FlavrError {
  if (error instanceof FlavrError) return error;
  const { code: errno = '', message } = error as NodeJS.ErrnoException;
  return new FlavrError(code, `${path} cannot be written: ${REASONS[errno] ?? message}.`, { cause: error });
}

/** @throws FlavrError `OUTPUT_EXISTS` */
export function outputExists(path: string): FlavrError {
  return new FlavrError(
    'OUTPUT_EXISTS',
    `${path} exists already. Choose another name, or allow it to be replaced (overwrite).`,
  );
}

/** Whether two paths lead to one file, links followed; false where either does not exist. */
export async function sameFile(a: string, b: string): Promise<boolean> {
  const [first, second] = await Promise.all([a, b].map((path) => stat(path).catch(() => undefined)));
  return first !== undefined && second !== undefined && first.dev === second.dev && first.ino === second.ino;
}

/**
 * @param files the files of a command, by the words that name them; undefined where none is given.
 * @throws FlavrError `BAD_ARGUMENT` where two of them are one, so that writing it would destroy what was read or written.
 */
export async function refuseSameFile(files: Readonly<Record<string, string | undefined>>): Promise<void> {
  const given = Object.entries(files).flatMap(([word, path]) => (path === undefined ? [] : [{ word, path }]));
  for (const [i, { word, path }] of given.entries()) {
    for (const other of given.slice(i + 1)) {
      if (resolve(path) !== resolve(other.path) && !(await sameFile(path, other.path))) continue;
      const sentence = `${word} and ${other.word} are one file, ${path}. Choose another name for one of them.`;
      throw new FlavrError('BAD_ARGUMENT', sentence);
    }
  }
}

/** The name under which an output grows: in the same folder, so that the final rename is one step of the file system. */
export function temporaryName(path: string): string {
  const full = resolve(path);
  // Of a long name only the beginning, so that whatever name is possible is so with its addition: 255 bytes, up to 4 per character.
  const name = [...basename(full)].slice(0, 60).join('');
  return join(dirname(full), `.${name}.${randomBytes(4).toString('hex')}.part`);
}

/** An output that has its final name only when it is complete. */
export class OutputFile {
  readonly path: string;
  /** Where to write until `commit`. */
  readonly temporary: string;
  readonly #overwrite: boolean;

  private constructor(path: string, overwrite: boolean) {
    this.path = resolve(path);
    this.temporary = temporaryName(path);
    this.#overwrite = overwrite;
  }

  /**
   * Creates the empty temporary file.
   * @throws FlavrError `OUTPUT_EXISTS` unless `overwrite`; `VIDEO_UNWRITABLE` where no file can be created.
   */
  static async create(path: string, overwrite: boolean): Promise<OutputFile> {
    const file = new OutputFile(path, overwrite);
    const present = await stat(file.path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
      throw unwritable(path, error);
    });
    if (present?.isDirectory()) throw unwritable(path, new Error('a folder has that name'));
    if (present && !overwrite) throw outputExists(path);
    rememberUnfinished(file.temporary);
    try {
      await (await open(file.temporary, 'wx')).close();
    } catch (error) {
      forgetUnfinished(file.temporary);
      throw unwritable(path, error);
    }
    return file;
  }

  /** Waits until the content is on the disk, then gives the file its final name. */
  async commit(): Promise<void> {
    try {
      const handle = await open(this.temporary, 'r+');
      try {
        await handle.sync();
      } finally {
        await handle.close();
      }
      if (this.#overwrite) await rename(this.temporary, this.path);
      else await this.#claim();
    } catch (error) {
      await this.discard();
      throw unwritable(this.path, error);
    }
    forgetUnfinished(this.temporary);
  }

  /** Removes the temporary file. */
  async discard(): Promise<void> {
    await rm(this.temporary, { force: true });
    forgetUnfinished(this.temporary);
  }

  // A rename would replace a file that has come up meanwhile; a link does not.
  async #claim(): Promise<void> {
    try {
      await link(this.temporary, this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EEXIST') throw outputExists(this.path);
      if (await stat(this.path).catch(() => undefined)) throw outputExists(this.path);
      // File systems without hard links.
      await rename(this.temporary, this.path);
      return;
    }
    await rm(this.temporary, { force: true });
  }
}
