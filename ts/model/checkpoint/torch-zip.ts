import type { Checkpoint } from './checkpoint.js';
import { DTYPE_BYTES } from './dtype.js';
import { unpickle } from './pickle.js';
import { type ByteSource, invalid, readBytes } from './source.js';
import { torchCheckpoint } from './torch.js';
import { type StorageRef, torchHost } from './torch-objects.js';
import { locateZipEntry, readZipDirectory, type ZipEntry } from './zip.js';

/**
 * Opens a file in the torch.save format since 1.6: a zip archive with the objects in `NAME/data.pkl` and each storage in
 * `NAME/data/KEY`. Takes over `source`.
 */
export async function openTorchZip(source: ByteSource): Promise<Checkpoint> {
  const entries = await readZipDirectory(source);
  const pickles = [...entries.values()].filter(({ name }) => /^[^/]*\/data\.pkl$/.test(name));
  const [pickle] = pickles;
  if (!pickle || pickles.length > 1) {
    throw invalid(source.name, 'it is a zip archive but not one of torch.save: one NAME/data.pkl is expected in it');
  }
  const folder = pickle.name.slice(0, pickle.name.indexOf('/') + 1);
  await checkByteOrder(source, entries.get(`${folder}byteorder`));
  const start = await locateZipEntry(source, pickle);
  const host = torchHost(source.name, new Map());
  const { value: root } = await unpickle(source, start, start + pickle.size, host);
  return torchCheckpoint(source, {
    format: 'torch-zip',
    root,
    async locate({ key, dtype, elements }: StorageRef) {
      const entry = entries.get(`${folder}data/${key}`);
      if (!entry) throw invalid(source.name, `the storage ${key} is not in the archive`);
      const bytes = elements * DTYPE_BYTES[dtype];
      if (entry.size !== bytes)
        throw invalid(source.name, `the storage ${key} should have ${bytes} bytes, not ${entry.size}`);
      return locateZipEntry(source, entry);
    },
  });
}

async function checkByteOrder(source: ByteSource, entry: ZipEntry | undefined): Promise<void> {
  if (!entry) return; // Writers before 2.1 leave it out and are little-endian.
  const length = Math.min(entry.size, 16);
  const order = (await readBytes(source, await locateZipEntry(source, entry), length, entry.name)).toString('latin1');
  if (order !== 'little') throw invalid(source.name, `its byte order is "${order}"; only little-endian files are read`);
}
