import { type ByteSource, checkRange, invalid, readBytes } from './source.js';

/** A stored (uncompressed) file inside an archive. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  /** Where its local header begins; the bytes follow that header. */
  readonly headerOffset: number;
}

const LOCAL = { signature: 0x04034b50, bytes: 30 };
const CENTRAL = { signature: 0x02014b50, bytes: 46 };
const END = { signature: 0x06054b50, bytes: 22 };
const END64 = { signature: 0x06064b50, bytes: 56 };
const LOCATOR64 = { signature: 0x07064b50, bytes: 20 };
const COMMENT_LIMIT = 0xffff;
const ENCRYPTED = 1;
const ZIP64_EXTRA = 1;
/** Stands in a 32-bit field whose value is in the zip64 extra field. */
const IN_ZIP64 = 0xffffffff;
const DIRECTORY_LIMIT = 16 * 2 ** 20;

/**
 * The files in a zip archive, by name, from its central directory.
 * @throws FlavrError `CHECKPOINT_INVALID` for a damaged archive and for compressed or encrypted files, which torch.save does not write.
 */
export async function readZipDirectory(source: ByteSource): Promise<Map<string, ZipEntry>> {
  const { offset, size, count } = await locateDirectory(source);
  if (size > DIRECTORY_LIMIT)
    throw invalid(source.name, `its zip directory claims ${size} bytes; ${DIRECTORY_LIMIT} is the most`);
  const directory = await readBytes(source, offset, size, 'the zip directory');
  const entries = new Map<string, ZipEntry>();
  for (let at = 0, i = 0; i < count; i++) {
    const header = slice(source, directory, at, CENTRAL.bytes);
    if (header.readUInt32LE(0) !== CENTRAL.signature) throw damaged(source);
    const nameLength = header.readUInt16LE(28);
    const extraLength = header.readUInt16LE(30);
    const name = slice(source, directory, at + CENTRAL.bytes, nameLength).toString('utf8');
    const extra = slice(source, directory, at + CENTRAL.bytes + nameLength, extraLength);
    entries.set(name, entryOf(source, name, header, extra));
    at += CENTRAL.bytes + nameLength + extraLength + header.readUInt16LE(32);
  }
  return entries;
}

/** The offset of an entry's first byte, all of it checked to lie inside the file. */
export async function locateZipEntry(source: ByteSource, { name, size, headerOffset }: ZipEntry): Promise<number> {
  const header = await readBytes(source, headerOffset, LOCAL.bytes, `the header of ${name}`);
  if (header.readUInt32LE(0) !== LOCAL.signature) throw damaged(source);
  const offset = headerOffset + LOCAL.bytes + header.readUInt16LE(26) + header.readUInt16LE(28);
  checkRange(source, offset, size, name);
  return offset;
}

async function locateDirectory(source: ByteSource): Promise<{ offset: number; size: number; count: number }> {
  const tailLength = Math.min(source.size, END.bytes + COMMENT_LIMIT);
  const tailOffset = source.size - tailLength;
  const tail = await readBytes(source, tailOffset, tailLength, 'the end of the zip archive');
  let at = tailLength - END.bytes;
  while (at >= 0 && tail.readUInt32LE(at) !== END.signature) at--;
  if (at < 0) throw invalid(source.name, 'its zip directory is missing; the file may be truncated');

  const locatorAt = at - LOCATOR64.bytes;
  if (locatorAt >= 0 && tail.readUInt32LE(locatorAt) === LOCATOR64.signature) {
    const end64 = await readBytes(source, bigSize(tail, locatorAt + 8), END64.bytes, 'the zip64 record');
    if (end64.readUInt32LE(0) !== END64.signature) throw damaged(source);
    return { count: bigSize(end64, 32), size: bigSize(end64, 40), offset: bigSize(end64, 48) };
  }
  return { count: tail.readUInt16LE(at + 10), size: tail.readUInt32LE(at + 12), offset: tail.readUInt32LE(at + 16) };
}

function entryOf(source: ByteSource, name: string, header: Buffer, extra: Buffer): ZipEntry {
  if (header.readUInt16LE(8) & ENCRYPTED) throw invalid(source.name, `${name} in it is encrypted`);
  if (header.readUInt16LE(10) !== 0)
    throw invalid(source.name, `${name} in it is compressed, which torch.save does not do`);
  // The zip64 field holds, in this order, only those values that do not fit their own field.
  let big = zip64Field(extra);
  const value = (field: number) => {
    if (field !== IN_ZIP64) return field;
    if (big.length < 8) throw damaged(source);
    const found = bigSize(big, 0);
    big = big.subarray(8);
    return found;
  };
  const size = value(header.readUInt32LE(24));
  const stored = value(header.readUInt32LE(20));
  if (stored !== size) throw damaged(source);
  return { name, size, headerOffset: value(header.readUInt32LE(42)) };
}

function zip64Field(extra: Buffer): Buffer {
  for (let at = 0; at + 4 <= extra.length; ) {
    const length = extra.readUInt16LE(at + 2);
    if (extra.readUInt16LE(at) === ZIP64_EXTRA) return extra.subarray(at + 4, at + 4 + length);
    at += 4 + length;
  }
  return Buffer.alloc(0);
}

function slice(source: ByteSource, bytes: Buffer, offset: number, length: number): Buffer {
  if (offset + length > bytes.length) throw damaged(source);
  return bytes.subarray(offset, offset + length);
}

const bigSize = (bytes: Buffer, offset: number): number => Number(bytes.readBigUInt64LE(offset));

const damaged = (source: ByteSource) => invalid(source.name, 'its zip structure is damaged');
