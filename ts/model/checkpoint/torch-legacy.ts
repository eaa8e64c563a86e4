import type { Checkpoint } from './checkpoint.js';
import { DTYPE_BYTES } from './dtype.js';
import { unpickle } from './pickle.js';
import { type ByteSource, checkRange, invalid, readBytes } from './source.js';
import { torchCheckpoint } from './torch.js';
import { type StorageRef, torchHost } from './torch-objects.js';

const MAGIC = 0x1950a86a20f9469cfc6cn;
const PROTOCOL = 1001;
/** Every storage in the file is preceded by its number of elements, a 64-bit integer. */
const COUNT_BYTES = 8;
const STORAGE_LIMIT = 20_000;

/**
 * Opens a file in the torch.save format before 1.6: five pickles (magic number, protocol, the writer's platform, the
 * objects, the storages' keys), then the storages one after another. Takes over `source`.
 */
export async function openTorchLegacy(source: ByteSource): Promise<Checkpoint> {
  const storages = new Map<string, StorageRef>();
  const host = torchHost(source.name, storages);
  let offset = 0;
  const next = async () => {
    const { value, end } = await unpickle(source, offset, source.size, host);
    offset = end;
    return value;
  };
  if ((await next()) !== MAGIC) throw invalid(source.name, "it does not begin with torch.save's magic number");
  if ((await next()) !== PROTOCOL) throw invalid(source.name, `its torch.save protocol is not ${PROTOCOL}`);
  const platform = await next();
  if (!(platform instanceof Map) || platform.get('little_endian') !== true) {
    throw invalid(source.name, 'it was written on a big-endian machine; save it again on a little-endian one');
  }
  const root = await next();
  const keys = await next();
  if (!Array.isArray(keys)) throw invalid(source.name, 'the list of its storages is damaged');
  const places = await placesOf(source, offset, keys, storages);
  return torchCheckpoint(source, {
    format: 'torch-legacy',
    root,
    async locate({ key }) {
      const place = places.get(key);
      if (place === undefined) throw invalid(source.name, `the storage ${key} is not in the file`);
      return place;
    },
  });
}

/** Where each storage's elements begin, from the counts between them. */
async function placesOf(
  source: ByteSource,
  offset: number,
  keys: readonly unknown[],
  storages: ReadonlyMap<string, StorageRef>,
): Promise<Map<string, number>> {
  if (keys.length > STORAGE_LIMIT)
    throw invalid(source.name, `it claims ${keys.length} storages; ${STORAGE_LIMIT} is the most`);
  const places = new Map<string, number>();
  for (const key of keys) {
    const storage = typeof key === 'string' ? storages.get(key) : undefined;
    if (!storage || places.has(storage.key)) throw invalid(source.name, 'the list of its storages is damaged');
    const count = Number(
      (await readBytes(source, offset, COUNT_BYTES, `the size of storage ${key}`)).readBigInt64LE(0),
    );
    if (count !== storage.elements) {
      throw invalid(source.name, `the storage ${key} should have ${storage.elements} elements but claims ${count}`);
    }
    const bytes = count * DTYPE_BYTES[storage.dtype];
    offset += COUNT_BYTES;
    checkRange(source, offset, bytes, `the storage ${key}`);
    places.set(storage.key, offset);
    offset += bytes;
  }
  return places;
}
