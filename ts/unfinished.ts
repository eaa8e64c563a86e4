import { rmSync } from 'node:fs';

// What a process that ends in the middle must take away; a killed one cannot.
const unfinished = new Set<string>();
const MOST_TRIES = 10;

function removeUnfinished(): void {
  for (const path of unfinished) remove(path, MOST_TRIES);
}

// Threads go on writing while the process exits: a file of theirs may come up in a folder that was just emptied.
function remove(path: string, tries: number): void {
  try {
    rmSync(path, { recursive: true, force: true });
  } catch {
    // What cannot be removed at all must not keep what comes after it.
    if (tries > 1) remove(path, tries - 1);
  }
}

/** From now on a file or folder goes when the process exits. To be called before it is made. */
export function rememberUnfinished(path: string): void {
  if (unfinished.size === 0) process.on('exit', removeUnfinished);
  unfinished.add(path);
}

/** It is finished, or gone. */
export function forgetUnfinished(path: string): void {
  unfinished.delete(path);
  if (unfinished.size === 0) process.off('exit', removeUnfinished);
}
