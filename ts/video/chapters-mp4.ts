import { type FileHandle, open } from 'node:fs/promises';
import { resolve } from 'node:path';
import { add, rational } from '../rational.js';
import { type Av, checkAv } from './av.js';
import type { Chapter } from './chapters.js';
import { fromTicks, nearest } from './clock.js';
import { readAt, writeAt } from './file-io.js';

// A Nero chapter list (moov/udta/chpl) counts in 100 nanoseconds, and its entries in one byte.
const TICKS = 10_000_000n;
const MAX_ENTRIES = 255;
// Far more than a list of that length can take.
const MAX_LIST_BYTES = 1 << 18;
const HEADER = 8;

/** A box (atom) of an MP4 file: where it lies, and where its content begins. */
interface Box {
  readonly type: string;
  readonly start: number;
  readonly body: number;
  readonly end: number;
}

async function boxes(file: FileHandle, from: number, to: number): Promise<Box[]> {
  const found: Box[] = [];
  for (let start = from; start + HEADER <= to; ) {
    const header = await readAt(file, start, Math.min(16, to - start));
    const short = header.readUInt32BE(0);
    const long = short === 1 && header.length === 16;
    const size = long ? Number(header.readBigUInt64BE(8)) : short === 0 ? to - start : short;
    const body = start + (long ? 16 : HEADER);
    if (body > start + size || start + size > to) break;
    found.push({ type: header.toString('latin1', 4, 8), start, body, end: start + size });
    start += size;
  }
  return found;
}

const children = async (file: FileHandle, parent: Box | undefined, type: string): Promise<Box[]> =>
  parent ? (await boxes(file, parent.body, parent.end)).filter((box) => box.type === type) : [];

/** Reads a chapter track (QuickTime's form, with exact times) or else a chapter list (Nero's). */
export async function readMp4Chapters(av: Av, path: string): Promise<Chapter[]> {
  const file = await open(path);
  try {
    const moov = (await boxes(file, 0, (await file.stat()).size)).find(({ type }) => type === 'moov');
    for (const track of await children(file, moov, 'trak')) {
      const [references] = await children(file, track, 'tref');
      const [chapters] = await children(file, references, 'chap');
      if (chapters && chapters.end - chapters.body >= 4) {
        const id = (await readAt(file, chapters.body, 4)).readUInt32BE(0);
        const found = await readTrack(av, path, id);
        if (found.length > 0) return found;
      }
    }
    const [userData] = await children(file, moov, 'udta');
    const [list] = await children(file, userData, 'chpl');
    if (!list || list.end - list.body > MAX_LIST_BYTES) return [];
    return parseList(await readAt(file, list.body, list.end - list.body));
  } finally {
    await file.close();
  }
}

function parseList(data: Buffer): Chapter[] {
  const starts: { start: bigint; title: string }[] = [];
  // Version 1 has four bytes more before the count.
  let at = data[0] === 1 ? 9 : 5;
  for (let left = data[at - 1] ?? 0; left > 0 && at + 9 <= data.length; left -= 1) {
    const length = data[at + 8]!;
    starts.push({ start: data.readBigUInt64BE(at), title: data.toString('utf8', at + 9, at + 9 + length) });
    at += 9 + length;
  }
  return starts.map(({ start, title }, index) => {
    const next = starts[index + 1];
    return { start: rational(start, TICKS), end: next && rational(next.start, TICKS), title, language: undefined };
  });
}

async function readTrack(av: Av, path: string, id: number): Promise<Chapter[]> {
  const format = new av.FormatContext();
  // Otherwise the demuxer keeps the track's samples to itself.
  const options = av.Dictionary.fromObject({ ignore_chapters: '1', protocol_whitelist: 'file' });
  checkAv(av, await format.openInput(`file:${resolve(path)}`, null, options), 'VIDEO_UNREADABLE', path);
  const packet = new av.Packet();
  packet.alloc();
  try {
    const stream = format.streams.find((candidate) => candidate.id === id);
    if (!stream) return [];
    for (const other of format.streams) if (other.index !== stream.index) other.discard = av.AVDISCARD_ALL;
    const step = rational(stream.timeBase.num, stream.timeBase.den);
    const chapters: Chapter[] = [];
    while (chapters.length <= MAX_ENTRIES && (await format.readFrame(packet)) >= 0) {
      if (packet.streamIndex === stream.index && packet.pts !== av.AV_NOPTS_VALUE) {
        const start = fromTicks(packet.pts, step);
        const end = add(start, fromTicks(packet.duration, step));
        chapters.push({ start, end, title: sampleText(packet.data), language: undefined });
      }
      packet.unref();
    }
    return chapters;
  } finally {
    packet.free();
    await format.closeInput();
  }
}

// A 16-bit length, then UTF-8, or UTF-16 behind a byte order mark.
function sampleText(data: Buffer | null): string {
  if (!data || data.length < 2) return '';
  const text = data.subarray(2, 2 + data.readUInt16BE(0));
  if (text.length >= 2 && text.readUInt16BE(0) === 0xfeff) {
    return Buffer.from(text.subarray(2, text.length & ~1))
      .swap16()
      .toString('utf16le');
  }
  return text.toString('utf8');
}

/** Adds a chapter list to the index (moov), which must be the file's last box: nothing else moves then. */
export async function writeMp4Chapters(path: string, chapters: readonly Chapter[]): Promise<boolean> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const moov = (await boxes(file, 0, size)).at(-1);
    if (moov?.type !== 'moov' || moov.body - moov.start !== HEADER) return false;
    const list = box('chpl', chapterList(chapters));
    const [userData] = await children(file, moov, 'udta');
    const rest = await readAt(file, userData?.end ?? size, size - (userData?.end ?? size));
    const added = userData ? list : box('udta', list);
    await writeAt(file, userData?.end ?? size, Buffer.concat([added, rest]));
    if (userData) await writeSize(file, userData, list.length);
    await writeSize(file, moov, added.length);
    return true;
  } finally {
    await file.close();
  }
}

function chapterList(chapters: readonly Chapter[]): Buffer {
  const listed = chapters.slice(0, MAX_ENTRIES);
  const entries = listed.map(({ start, title }) => {
    const text = truncate(Buffer.from(title), 255);
    const head = Buffer.alloc(9);
    head.writeBigUInt64BE(nearest(rational(start.num * TICKS, start.den)));
    head[8] = text.length;
    return Buffer.concat([head, text]);
  });
  return Buffer.concat([Buffer.from([1, 0, 0, 0, 0, 0, 0, 0, listed.length]), ...entries]);
}

// Never in the middle of a character.
function truncate(text: Buffer, bytes: number): Buffer {
  let length = Math.min(text.length, bytes);
  while (length < text.length && (text[length]! & 0xc0) === 0x80) length -= 1;
  return text.subarray(0, length);
}

function box(type: string, content: Buffer): Buffer {
  const header = Buffer.alloc(HEADER);
  header.writeUInt32BE(HEADER + content.length);
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, content]);
}

async function writeSize(file: FileHandle, { start, end }: Box, added: number): Promise<void> {
  const size = Buffer.alloc(4);
  size.writeUInt32BE(end - start + added);
  await writeAt(file, start, size);
}
