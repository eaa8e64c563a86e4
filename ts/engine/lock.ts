import { randomBytes } from 'node:crypto';
import { open, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import { hostname } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { FlavrError, throwIfAborted } from '../errors.js';
import { unwritable } from '../video/output-file.js';

export interface LockOptions {
  /** How long to wait for another holder before `CACHE_LOCKED`. Default an hour: TensorRT may build that long. */
  readonly waitMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Called once if the lock is held by someone else. */
  readonly onWait?: (() => void) | undefined;
}

interface Holder {
  readonly pid: number;
  readonly host: string;
  readonly token: string;
}

const HOUR_MS = 3_600_000;
const POLL_MS = 200;
// A holder shows that it lives by touching the file; one that has not for several beats is gone.
const BEAT_MS = 10_000;
const DEAD_AFTER_MS = 60_000;

const codeOf = (error: unknown): string | undefined => (error as NodeJS.ErrnoException).code;

/** Whether the file was made; false where it is there already. @throws FlavrError `VIDEO_UNWRITABLE` */
async function create(path: string, holder: Holder): Promise<boolean> {
  try {
    const file = await open(path, 'wx');
    try {
      await file.writeFile(JSON.stringify(holder)).finally(() => file.close());
    } catch (error) {
      // On a full disk an empty file would be left, for which everyone would wait.
      await rm(path, { force: true });
      throw error;
    }
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw unwritable(path, error);
  }
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** The text of a lock file whose holder is gone, or undefined if it lives or there is no file. */
async function abandoned(path: string): Promise<string | undefined> {
  try {
    const [text, { mtimeMs }] = await Promise.all([readFile(path, 'utf8'), stat(path)]);
    if (Date.now() - mtimeMs > DEAD_AFTER_MS) return text;
    const { pid, host } = JSON.parse(text) as Holder;
    return host === hostname() && !isRunning(pid) ? text : undefined;
  } catch (error) {
    // Gone in between, or not yet written to by the one that made it.
    if (codeOf(error) === 'ENOENT' || error instanceof SyntaxError) return undefined;
    throw error;
  }
}

/** Takes an abandoned lock file away. Of several processes that try, one moves the file; it puts a live one back. */
async function clear(path: string, text: string): Promise<void> {
  const aside = `${path}.${randomBytes(4).toString('hex')}.gone`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return;
    throw error;
  }
  if ((await readFile(aside, 'utf8')) === text) await rm(aside, { force: true });
  else await rename(aside, path);
}

/**
 * Runs `work` while holding the lock file, which one process on all machines that share the folder can at a time. A lock
 * whose process died is taken over.
 * @throws FlavrError `CACHE_LOCKED` after `waitMs`; `ABORTED`; `VIDEO_UNWRITABLE` where no lock file can be made.
 */
export async function withLock<T>(path: string, work: () => Promise<T>, options: LockOptions = {}): Promise<T> {
  const { waitMs = HOUR_MS, signal, onWait } = options;
  const holder: Holder = { pid: process.pid, host: hostname(), token: randomBytes(8).toString('hex') };
  const deadline = Date.now() + waitMs;
  for (let waited = false; !(await create(path, holder)); waited = true) {
    const text = await abandoned(path);
    if (text !== undefined) {
      await clear(path, text);
      continue;
    }
    if (!waited) onWait?.();
    throwIfAborted(signal);
    if (Date.now() >= deadline) {
      throw new FlavrError(
        'CACHE_LOCKED',
        `${path} has been held by another process for ${Math.round(waitMs / 1000)} s. Wait for it, or remove the file if no process uses it.`,
      );
    }
    await sleep(POLL_MS);
  }
  const beat = setInterval(() => utimes(path, new Date(), new Date()).catch(() => {}), BEAT_MS);
  try {
    return await work();
  } finally {
    clearInterval(beat);
    await rm(path, { force: true });
  }
}
