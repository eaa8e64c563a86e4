import { type ByteSource, invalid } from '../../ts/model/checkpoint/source.js';

/** A checkpoint file in memory that counts what is read of it and whether it was closed. */
export interface MemorySource extends ByteSource {
  bytesRead: number;
  /** The longest single read. */
  longestRead: number;
  closed: boolean;
}

export function memorySource(bytes: Uint8Array, name = 'case'): MemorySource {
  return {
    name,
    size: bytes.length,
    bytesRead: 0,
    longestRead: 0,
    closed: false,
    async readInto(target, offset) {
      if (offset + target.length > bytes.length) throw invalid(name, 'read beyond its end');
      this.bytesRead += target.length;
      this.longestRead = Math.max(this.longestRead, target.length);
      target.set(bytes.subarray(offset, offset + target.length));
    },
    async close() {
      this.closed = true;
    },
  };
}
