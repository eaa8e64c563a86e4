import { type FileHandle, open, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { FlavrError } from '../../errors.js';

/** Random access to the bytes of a checkpoint: no reader holds more of a file than the tensor it is asked for. */
export interface ByteSource {
  /** The file's base name, for messages. */
  readonly name: string;
  readonly size: number;
  /** Fills `target` from byte `offset` on. The caller has checked that the range lies inside the file. */
  readInto(target: Uint8Array, offset: number): Promise<void>;
  close(): Promise<void>;
}

/**
 * Opens a file for random access.
 * @throws FlavrError `MODEL_NOT_FOUND` if it does not exist, is no regular file or may not be read.
 */
export async function openSource(path: string): Promise<ByteSource> {
  let handle: FileHandle;
  let size: number;
  try {
    // Before it is opened: opening a pipe waits for a writer that may never come.
    const info = await stat(path);
    if (!info.isFile()) throw new Error('it is not a regular file');
    size = info.size;
    handle = await open(path, 'r');
  } catch (cause) {
    throw new FlavrError('MODEL_NOT_FOUND', `Cannot open ${path}: ${(cause as Error).message}.`, { cause });
  }
  const name = basename(path);
  return {
    name,
    size,
    async readInto(target, offset) {
      // One read returns at most 2 GiB, and fewer bytes than asked for on some file systems.
      for (let done = 0; done < target.length; ) {
        const length = Math.min(target.length - done, 1 << 30);
        const { bytesRead } = await handle.read(target, done, length, offset + done);
        if (bytesRead === 0) throw invalid(name, `it ends at byte ${offset + done} while it is being read`);
        done += bytesRead;
      }
    },
    close: () => handle.close(),
  };
}

/** The bytes of a file that is in memory already. */
export function sourceOf(name: string, bytes: Uint8Array): ByteSource {
  return {
    name,
    size: bytes.length,
    async readInto(target, offset) {
      target.set(bytes.subarray(offset, offset + target.length));
    },
    close: async () => {},
  };
}

/**
 * Bytes `offset` … `offset + length - 1`; `what` says what is expected there, for the error when the file is too short.
 * @internal so that the package's declarations do without Buffer
 */
export async function readBytes(source: ByteSource, offset: number, length: number, what: string): Promise<Buffer> {
  checkRange(source, offset, length, what);
  const bytes = Buffer.allocUnsafeSlow(length);
  await source.readInto(bytes, offset);
  return bytes;
}

/** Refuses a byte range that does not lie inside the file, before any memory is taken for it. */
export function checkRange(source: ByteSource, offset: number, length: number, what: string): void {
  const sane = Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0;
  if (sane && offset + length <= source.size) return;
  throw invalid(
    source.name,
    `${what} should be the ${length} bytes from byte ${offset}, but the file has ${source.size} bytes; it may be truncated`,
  );
}

/** Names in a hostile file may be of any length and hold terminal commands. */
const DETAIL_LIMIT = 600;

/** A `CHECKPOINT_INVALID` error about the file called `name`. */
export function invalid(name: string, detail: string, cause?: unknown): FlavrError {
  const clean = detail.slice(0, DETAIL_LIMIT).replaceAll(/\p{Cc}/gu, '?');
  return new FlavrError('CHECKPOINT_INVALID', `${name} is no valid checkpoint: ${clean}.`, { cause });
}
