import { type ByteSource, sourceOf } from '../../ts/model/checkpoint/source.js';

/** A checkpoint file in memory that counts what is read of it and whether it was closed. */
export interface MemorySource extends ByteSource {
  bytesRead: number;
  /** The longest single read. */
  longestRead: number;
  closed: boolean;
}

export function memorySource(bytes: Uint8Array, name = 'case'): MemorySource {
  const { readInto } = sourceOf(name, bytes);
  return {
    name,
    size: bytes.length,
    bytesRead: 0,
    longestRead: 0,
    closed: false,
    async readInto(target, offset) {
      this.bytesRead += target.length;
      this.longestRead = Math.max(this.longestRead, target.length);
      await readInto(target, offset);
    },
    async close() {
      this.closed = true;
    },
  };
}
