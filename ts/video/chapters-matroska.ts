import { type FileHandle, open } from 'node:fs/promises';
import { type Rational, rational } from '../rational.js';
import type { Chapter } from './chapters.js';
import { nearest } from './clock.js';
import { readAt, writeAt } from './file-io.js';

// Element IDs of RFC 9559; times are in nanoseconds.
const EBML = 0x1a45dfa3;
const SEGMENT = 0x18538067;
const SEEK_HEAD = 0x114d9b74;
const SEEK = 0x4dbb;
const SEEK_ID = 0x53ab;
const SEEK_POSITION = 0x53ac;
const CLUSTER = 0x1f43b675;
const CHAPTERS = 0x1043a770;
const EDITION = 0x45b9;
const EDITION_DEFAULT = 0x45db;
const ATOM = 0xb6;
const ATOM_UID = 0x73c4;
const ATOM_START = 0x91;
const ATOM_END = 0x92;
const ATOM_HIDDEN = 0x98;
const DISPLAY = 0x80;
const DISPLAY_STRING = 0x85;
const DISPLAY_LANGUAGE = 0x437c;
const VOID = 0xec;
const CRC = 0xbf;

const NANOSECONDS = 1_000_000_000n;
// More than any list of chapters takes; what is larger is not read.
const MAX_BYTES = 1 << 22;
const MAX_HEADER = 12;

/** An EBML element's header: its ID and where its content lies. */
interface Element {
  readonly id: number;
  readonly start: number;
  readonly body: number;
  /** `Infinity` where the size is not stated. */
  readonly end: number;
}

/** The header of the element at `at`; `base` is that buffer's place in the file. */
function parseHeader(data: Buffer, at: number, base = 0): Element | undefined {
  const idLength = Math.clz32(data[at] ?? 0) - 23;
  const sizeAt = at + idLength;
  const sizeLength = Math.clz32(data[sizeAt] ?? 0) - 23;
  const body = sizeAt + sizeLength;
  if (idLength > 4 || sizeLength > 8 || body > data.length) return undefined;
  let size = BigInt(data[sizeAt]!) & ((1n << BigInt(8 - sizeLength)) - 1n);
  for (let i = sizeAt + 1; i < body; i += 1) size = (size << 8n) | BigInt(data[i]!);
  const unknown = size === (1n << BigInt(7 * sizeLength)) - 1n;
  const end = unknown ? Number.POSITIVE_INFINITY : base + body + Number(size);
  return { id: data.readUIntBE(at, idLength), start: base + at, body: base + body, end };
}

async function elementAt(file: FileHandle, position: number): Promise<Element | undefined> {
  return parseHeader(await readAt(file, position, MAX_HEADER), 0, position);
}

/** The children in a buffer that holds their parent's content. */
function* elements(data: Buffer): Generator<{ id: number; data: Buffer }> {
  for (let at = 0; at < data.length; ) {
    const element = parseHeader(data, at);
    if (!element || element.end > data.length) return;
    yield { id: element.id, data: data.subarray(element.body, element.end) };
    at = element.end;
  }
}

const child = (data: Buffer, id: number): Buffer | undefined => {
  for (const element of elements(data)) if (element.id === id) return element.data;
  return undefined;
};

const uint = (data: Buffer | undefined): bigint | undefined =>
  data && data.length <= 8 ? BigInt(`0x${data.toString('hex') || '0'}`) : undefined;

/** The elements of the segment before its first cluster: the head of the file. */
async function readHead(file: FileHandle): Promise<{ segment: Element; head: Element[] } | undefined> {
  const ebml = await elementAt(file, 0);
  const segment = ebml?.id === EBML ? await elementAt(file, ebml.end) : undefined;
  if (segment?.id !== SEGMENT) return undefined;
  const head: Element[] = [];
  for (let at = segment.body; at < segment.end; ) {
    const element = await elementAt(file, at);
    if (!element || element.id === CLUSTER || element.end === Number.POSITIVE_INFINITY) break;
    head.push(element);
    at = element.end;
  }
  return { segment, head };
}

const content = async (file: FileHandle, { body, end }: Element): Promise<Buffer> =>
  end - body > MAX_BYTES ? Buffer.alloc(0) : readAt(file, body, end - body);

export async function readMatroskaChapters(path: string): Promise<Chapter[]> {
  const file = await open(path);
  try {
    const found = await readHead(file);
    if (!found) return [];
    let chapters = found.head.find(({ id }) => id === CHAPTERS);
    for (const seekHead of found.head.filter(({ id }) => id === SEEK_HEAD)) {
      for (const seek of elements(await content(file, seekHead))) {
        const position = uint(child(seek.data, SEEK_POSITION));
        if (chapters || position === undefined || uint(child(seek.data, SEEK_ID)) !== BigInt(CHAPTERS)) continue;
        const element = await elementAt(file, found.segment.body + Number(position));
        if (element?.id === CHAPTERS) chapters = element;
      }
    }
    return chapters ? parseChapters(await content(file, chapters)) : [];
  } finally {
    await file.close();
  }
}

// Of several editions the default one, else the first.
function parseChapters(data: Buffer): Chapter[] {
  const editions = [...elements(data)].filter(({ id }) => id === EDITION);
  const edition = editions.find((candidate) => uint(child(candidate.data, EDITION_DEFAULT)) === 1n) ?? editions[0];
  if (!edition) return [];
  const atoms = [...elements(edition.data)].filter(
    ({ id, data: atom }) => id === ATOM && !uint(child(atom, ATOM_HIDDEN)),
  );
  return atoms.map(({ data: atom }) => {
    const end = uint(child(atom, ATOM_END));
    const display = child(atom, DISPLAY) ?? Buffer.alloc(0);
    return {
      start: rational(uint(child(atom, ATOM_START)) ?? 0n, NANOSECONDS),
      end: end === undefined ? undefined : rational(end, NANOSECONDS),
      title: child(display, DISPLAY_STRING)?.toString('utf8') ?? '',
      language: child(display, DISPLAY_LANGUAGE)?.toString('latin1'),
    };
  });
}

/** Adds chapters behind the last element, and names their place in the head, where players look it up. */
export async function writeMatroskaChapters(path: string, chapters: readonly Chapter[]): Promise<boolean> {
  const file = await open(path, 'r+');
  try {
    const { size } = await file.stat();
    const found = await readHead(file);
    const index = found?.head.findIndex(({ id }) => id === SEEK_HEAD) ?? -1;
    // FFmpeg writes the segment's size in eight bytes, and as its last element's end.
    const sizeAt = (found?.segment.start ?? 0) + bytes(SEGMENT).length;
    if (!found || index < 0 || found.segment.end !== size || found.segment.body - sizeAt !== 8) return false;
    const seekHead = found.head[index]!;
    const spare = found.head[index + 1];
    const room = spare?.id === VOID ? spare.end : seekHead.end;
    // Without its checksum, which is optional and would no longer hold.
    const kept = [...elements(await content(file, seekHead))].filter(({ id }) => id !== CRC);
    const entry = element(
      SEEK,
      element(SEEK_ID, bytes(CHAPTERS)),
      element(SEEK_POSITION, bytes(size - found.segment.body)),
    );
    const head = element(SEEK_HEAD, ...kept.map(({ id, data }) => element(id, data)), entry);
    const left = room - seekHead.start - head.length;
    if (left < 0 || left === 1) return false;
    const list = chapterElement(chapters);
    await writeAt(file, size, list);
    await writeAt(file, seekHead.start, Buffer.concat([head, filler(left)]));
    await writeAt(file, sizeAt, sizeField(size - found.segment.body + list.length, 8));
    return true;
  } finally {
    await file.close();
  }
}

function chapterElement(chapters: readonly Chapter[]): Buffer {
  const time = ({ num, den }: Rational) => bytes(nearest(rational(num * NANOSECONDS, den)));
  const atoms = chapters.map(({ start, end, title, language }, index) =>
    element(
      ATOM,
      element(ATOM_UID, bytes(index + 1)),
      element(ATOM_START, time(start)),
      ...(end ? [element(ATOM_END, time(end))] : []),
      element(
        DISPLAY,
        element(DISPLAY_STRING, Buffer.from(title)),
        element(DISPLAY_LANGUAGE, Buffer.from(language ?? 'und')),
      ),
    ),
  );
  return element(CHAPTERS, element(EDITION, ...atoms));
}

/** A number in as few bytes as hold it. */
function bytes(value: number | bigint): Buffer {
  const hex = value.toString(16);
  return Buffer.from(hex.length % 2 ? `0${hex}` : hex, 'hex');
}

function element(id: number, ...parts: Buffer[]): Buffer {
  const data = Buffer.concat(parts);
  return Buffer.concat([bytes(id), sizeField(data.length), data]);
}

/** A size in `length` bytes, by default as few as hold it; all ones mean "unknown", so that value is left out. */
function sizeField(size: number, length?: number): Buffer {
  let count = length ?? 1;
  while (length === undefined && size >= 2 ** (7 * count) - 1) count += 1;
  const field = Buffer.alloc(8);
  field.writeBigUInt64BE((1n << BigInt(7 * count)) | BigInt(size));
  return field.subarray(8 - count);
}

/** An element that readers pass over, of exactly `length` bytes: 0, or from 2 on. */
function filler(length: number): Buffer {
  const data = Buffer.alloc(length);
  if (length === 0) return data;
  const field = length < 9 ? sizeField(length - 2, 1) : sizeField(length - 9, 8);
  data[0] = VOID;
  field.copy(data, 1);
  return data;
}
