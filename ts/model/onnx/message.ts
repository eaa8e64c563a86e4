import { BinaryReader, WireType } from '@bufbuild/protobuf/wire';

/** How one field of a message is read: its number, its value when absent, and what each occurrence makes of the value so far. */
interface Field<T> {
  readonly number: number;
  initial(): T;
  read(reader: BinaryReader, wire: WireType, before: T): T;
}

type Schema = Readonly<Record<string, Field<unknown>>>;
type Message<S extends Schema> = { readonly [K in keyof S]: S[K] extends Field<infer T> ? T : never };

type Read<T> = (reader: BinaryReader) => T;

export const integer: Read<number> = (reader) => Number(reader.int64());
export const float: Read<number> = (reader) => reader.float();
export const text: Read<string> = (reader) => reader.string();
export const bytes: Read<Uint8Array> = (reader) => reader.bytes();
export const embedded =
  <T>(decode: (bytes: Uint8Array) => T): Read<T> =>
  (reader) =>
    decode(reader.bytes());

/** The last occurrence counts. */
export function one<T, D>(number: number, read: Read<T>, absent: D): Field<T | D> {
  return { number, initial: () => absent, read: (reader) => read(reader) };
}

export function many<T>(number: number, read: Read<T>): Field<readonly T[]> {
  return {
    number,
    initial: () => [],
    read(reader, _wire, before) {
      (before as T[]).push(read(reader));
      return before;
    },
  };
}

/** Repeated numbers, packed or not. */
function numbers(number: number, read: Read<number>): Field<readonly number[]> {
  const each = many(number, read);
  return {
    ...each,
    read(reader, wire, before) {
      if (wire !== WireType.LengthDelimited) return each.read(reader, wire, before);
      const packed = new BinaryReader(reader.bytes());
      while (packed.pos < packed.len) before = each.read(packed, wire, before);
      return before;
    },
  };
}

export const integers = (number: number): Field<readonly number[]> => numbers(number, integer);
export const floats = (number: number): Field<readonly number[]> => numbers(number, float);

/** A decoder of messages with these fields; others are skipped. Throws if the bytes end inside a field. */
export function message<S extends Schema>(schema: S): (bytes: Uint8Array) => Message<S> {
  const entries = Object.entries(schema);
  const byNumber = new Map(entries.map(([key, field]) => [field.number, { key, field }]));
  return (encoded) => {
    const decoded: Record<string, unknown> = {};
    for (const [key, field] of entries) decoded[key] = field.initial();
    const reader = new BinaryReader(encoded);
    while (reader.pos < reader.len) {
      const [number, wire] = reader.tag();
      const known = byNumber.get(number);
      if (known) decoded[known.key] = known.field.read(reader, wire, decoded[known.key]);
      else reader.skip(wire, number);
    }
    return decoded as Message<S>;
  };
}
