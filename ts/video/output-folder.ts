import { renameSync } from 'node:fs';
import { mkdir, readdir, rename, rm } from 'node:fs/promises';
import { resolve } from 'node:path';
import { FlavrError } from '../errors.js';
import { forgetUnfinished, rememberUnfinished } from '../unfinished.js';
import { outputExists, temporaryName, unwritable } from './output-file.js';

const holdsOther = (path: string, name: string): FlavrError =>
  new FlavrError(
    'OUTPUT_EXISTS',
    `${path} holds "${name}", which is none of the files that are written there, so that it is never replaced. Choose another name.`,
  );

/** A folder of images that has its final name only when it is complete. */
export class OutputFolder {
  readonly path: string;
  /** Where to write until `commit`. */
  readonly temporary: string;
  readonly #replaces: boolean;

  private constructor(path: string, replaces: boolean) {
    this.path = resolve(path);
    this.temporary = temporaryName(path);
    this.#replaces = replaces;
  }

  /**
   * Creates the temporary folder. An empty folder of the final name is no obstacle; one that holds anything but images
   * as they are written here is never replaced.
   * @param isOurs whether a file name is one of a written image.
   * @throws FlavrError `OUTPUT_EXISTS`, `VIDEO_UNWRITABLE`
   */
  static async create(path: string, overwrite: boolean, isOurs: (name: string) => boolean): Promise<OutputFolder> {
    const present = await readdir(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      if (error.code === 'ENOTDIR') throw outputExists(path);
      throw unwritable(path, error);
    });
    const stranger = present.find((name) => !isOurs(name));
    if (stranger !== undefined) throw holdsOther(path, stranger);
    if (present.length > 0 && !overwrite) throw outputExists(path);
    const folder = new OutputFolder(path, present.length > 0);
    rememberUnfinished(folder.temporary);
    try {
      await mkdir(folder.temporary);
    } catch (error) {
      forgetUnfinished(folder.temporary);
      throw unwritable(path, error);
    }
    return folder;
  }

  async commit(): Promise<void> {
    try {
      if (this.#replaces) await this.#replace();
      else await rename(this.temporary, this.path);
    } catch (error) {
      await this.discard();
      const { code } = error as NodeJS.ErrnoException;
      throw code === 'ENOTEMPTY' || code === 'EEXIST' ? outputExists(this.path) : unwritable(this.path, error);
    }
    forgetUnfinished(this.temporary);
  }

  async discard(): Promise<void> {
    await rm(this.temporary, { recursive: true, force: true });
    forgetUnfinished(this.temporary);
  }

  // A folder that is not empty cannot be renamed over; the old one steps aside until the new one stands.
  async #replace(): Promise<void> {
    const old = temporaryName(this.path);
    // At once: a process that exits in between would take the new one away, and leave the old one where nobody looks.
    renameSync(this.path, old);
    try {
      renameSync(this.temporary, this.path);
    } catch (error) {
      renameSync(old, this.path);
      throw error;
    }
    // From here on it is the old one that must not stay, and there may be much of it.
    rememberUnfinished(old);
    await rm(old, { recursive: true, force: true });
    forgetUnfinished(old);
  }
}
