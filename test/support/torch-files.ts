/** Writers of torch.save files for tests: enough of pickle and zip to make ordinary, odd and hostile ones. */

export interface FakeTensor {
  readonly storage: string;
  readonly shape: readonly number[];
  readonly strides?: readonly number[];
  readonly offset?: number;
}

export interface FakeStorage {
  readonly type: string;
  /** Claimed in the pickle; default: what `data` holds. */
  readonly elements?: number;
  readonly data: Uint8Array;
}

/** Something to pickle: plain values, maps as dicts, or ready-made pickle code. */
export type Plain = null | boolean | number | string | Plain[] | Map<string, Plain> | Code;
export class Code {
  constructor(readonly bytes: Buffer) {}
}

const text = (value: string) => Buffer.from(value, 'utf8');
const u32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
};
const u64 = (value: number) => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt(value));
  return bytes;
};

export const globalName = (module: string, name: string): Buffer => text(`c${module}\n${name}\n`);
/** `callee(*args)` */
export const reduce = (module: string, name: string, args: Plain[]): Code =>
  new Code(Buffer.concat([globalName(module, name), text('('), ...args.map(encode), text('tR')]));

function encode(value: Plain): Buffer {
  if (value instanceof Code) return value.bytes;
  if (value === null) return text('N');
  if (value === true) return Buffer.of(0x88);
  if (value === false) return Buffer.of(0x89);
  if (typeof value === 'string') return Buffer.concat([text('X'), u32(Buffer.byteLength(value)), text(value)]);
  if (typeof value === 'number') {
    if (Number.isInteger(value) && value >= -(2 ** 31) && value < 2 ** 31)
      return Buffer.concat([text('J'), u32(value >>> 0)]);
    if (Number.isInteger(value)) return Buffer.concat([Buffer.of(0x8a, 8), u64(value)]);
    const bytes = Buffer.alloc(9);
    bytes.write('G');
    bytes.writeDoubleBE(value, 1);
    return bytes;
  }
  if (Array.isArray(value)) return Buffer.concat([text(']('), ...value.map(encode), text('e')]);
  return Buffer.concat([text('}('), ...[...value].flatMap(([key, entry]) => [encode(key), encode(entry)]), text('u')]);
}

export const pickle = (value: Plain): Buffer => Buffer.concat([Buffer.of(0x80, 2), encode(value), text('.')]);

const tuple = (items: readonly Plain[]): Code => new Code(Buffer.concat([text('('), ...items.map(encode), text('t')]));

/** The pickle code of a tensor that views a storage. */
export function tensor(
  { storage, shape, strides, offset = 0 }: FakeTensor,
  storages: Record<string, FakeStorage>,
): Code {
  const { type, data, elements = data.length / 4 } = storages[storage]!;
  const id = tuple(['storage', new Code(globalName('torch', type)), storage, 'cpu', elements]);
  const ordinary = shape.map((_, axis) => shape.slice(axis + 1).reduce((a, b) => a * b, 1));
  return reduce('torch._utils', '_rebuild_tensor_v2', [
    new Code(Buffer.concat([id.bytes, text('Q')])),
    offset,
    tuple(shape),
    tuple(strides ?? ordinary),
    false,
    reduce('collections', 'OrderedDict', []),
  ]);
}

/** What stands in a file of the torch.save format before 1.6 in front of the storages. */
export function legacyHead(root: Plain, storages: Iterable<string>): Buffer {
  const magic = Buffer.from('80028a0a6cfc9c46f9206aa850192e', 'hex');
  const platform = new Map<string, Plain>([
    ['protocol_version', 1001],
    ['little_endian', true],
  ]);
  return Buffer.concat([magic, pickle(1001), pickle(platform), pickle(root), pickle([...storages])]);
}

/** A file in the torch.save format before 1.6. */
export function legacyFile(root: Plain, storages: Record<string, FakeStorage> = {}): Buffer {
  const bodies = Object.values(storages).flatMap(({ data, elements = data.length / 4 }) => [u64(elements), data]);
  return Buffer.concat([legacyHead(root, Object.keys(storages)), ...bodies]);
}

/** A file in the torch.save format since 1.6. */
export function zipFile(root: Plain, storages: Record<string, FakeStorage> = {}, zip64 = false): Buffer {
  const files: Record<string, Uint8Array> = { 'case/data.pkl': pickle(root), 'case/byteorder': text('little') };
  for (const [key, { data }] of Object.entries(storages)) files[`case/data/${key}`] = data;
  return zip(files, zip64);
}

/** A zip archive of stored files; with `zip64` every size and offset stands in the 64-bit fields. */
export function zip(files: Record<string, Uint8Array>, zip64 = false, method = 0): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  let offset = 0;
  for (const [name, data] of Object.entries(files)) {
    const local = Buffer.alloc(30);
    local.writeUInt32LE(0x04034b50);
    local.writeUInt16LE(method, 8);
    local.writeUInt32LE(data.length, 18);
    local.writeUInt32LE(data.length, 22);
    local.writeUInt16LE(name.length, 26);
    const central = Buffer.alloc(46);
    central.writeUInt32LE(0x02014b50);
    central.writeUInt16LE(method, 10);
    const extra = zip64
      ? Buffer.concat([Buffer.of(1, 0, 24, 0), u64(data.length), u64(data.length), u64(offset)])
      : Buffer.alloc(0);
    for (const [field, value] of [
      [20, data.length],
      [24, data.length],
      [42, offset],
    ] as const) {
      central.writeUInt32LE(zip64 ? 0xffffffff : value, field);
    }
    central.writeUInt16LE(name.length, 28);
    central.writeUInt16LE(extra.length, 30);
    parts.push(local, text(name), Buffer.from(data));
    directory.push(central, text(name), extra);
    offset += 30 + name.length + data.length;
  }
  const count = Object.keys(files).length;
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = Buffer.alloc(22);
  end.writeUInt32LE(0x06054b50);
  if (!zip64) {
    end.writeUInt16LE(count, 8);
    end.writeUInt16LE(count, 10);
    end.writeUInt32LE(size, 12);
    end.writeUInt32LE(offset, 16);
    return Buffer.concat([...parts, ...directory, end]);
  }
  end.fill(0xff, 8, 20);
  const end64 = Buffer.alloc(56);
  end64.writeUInt32LE(0x06064b50);
  for (const [field, value] of [
    [24, count],
    [32, count],
    [40, size],
    [48, offset],
  ] as const) {
    end64.writeBigUInt64LE(BigInt(value), field);
  }
  const locator = Buffer.concat([u32(0x07064b50), u32(0), u64(offset + size), u32(1)]);
  return Buffer.concat([...parts, ...directory, end64, locator, end]);
}

/** Little-endian float32 bytes. */
export const floats = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);
