import { elementCount, isCount, isShape } from '../shape.js';
import { type Checkpoint, floatTensor, type TensorInfo } from './checkpoint.js';
import { DTYPE_BYTES, type DType, decodeFloats } from './dtype.js';
import { type ByteSource, checkRange, invalid, readBytes } from './source.js';

/** Real headers take about a hundred bytes per tensor; anything near this is no header. */
const HEADER_LIMIT = 16 * 2 ** 20;
/** The header's length, a 64-bit integer, stands in front of it. */
const PREFIX = 8;

interface StoredTensor extends TensorInfo {
  readonly offset: number;
  readonly bytes: number;
}

/**
 * Opens a safetensors file: an 8-byte length, a JSON header that names every tensor's type, shape and place, the values.
 * Takes over `source`: closing the checkpoint closes it.
 * @throws FlavrError `CHECKPOINT_INVALID` saying which tensor is wrong and what was expected.
 */
export async function openSafetensors(source: ByteSource): Promise<Checkpoint> {
  const { tensors, metadata } = await readSafetensorsHeader(source);
  return {
    format: 'safetensors',
    name: source.name,
    tensors,
    metadata,
    async read(tensor) {
      const { dtype, offset, bytes } = floatTensor(source.name, tensors, tensor);
      return decodeFloats(dtype, await readBytes(source, offset, bytes, `the tensor ${tensor}`));
    },
    close: () => source.close(),
  };
}

/** Names, types, shapes and byte ranges, each checked against the file's size. */
export async function readSafetensorsHeader(
  source: ByteSource,
): Promise<{ tensors: Map<string, StoredTensor>; metadata: Record<string, string> }> {
  const prefix = await readBytes(source, 0, PREFIX, "the header's length");
  const length = Number(prefix.readBigUInt64LE(0));
  if (length > HEADER_LIMIT)
    throw invalid(source.name, `its header claims ${length} bytes; ${HEADER_LIMIT} is the most`);
  const header = parseHeader(source.name, await readBytes(source, PREFIX, length, 'the header'));
  const tensors = new Map<string, StoredTensor>();
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') metadata = metadataOf(source.name, entry);
    else tensors.set(name, tensorOf(source, name, entry, PREFIX + length));
  }
  checkCoverage(source, tensors, PREFIX + length);
  return { tensors, metadata };
}

/** The format wants the data divided among the tensors without overlap, gap or rest: anything else is damage. */
function checkCoverage(source: ByteSource, tensors: ReadonlyMap<string, StoredTensor>, dataStart: number): void {
  const inOrder = [...tensors].sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes);
  let end = dataStart;
  for (const [name, { offset, bytes }] of inOrder) {
    if (offset !== end) {
      const [wanted, found] = [end - dataStart, offset - dataStart];
      throw invalid(source.name, `the tensor ${name} should begin at byte ${wanted} of the data, not ${found}`);
    }
    end += bytes;
  }
  if (end !== source.size) throw invalid(source.name, `${source.size - end} bytes of its data belong to no tensor`);
}

function parseHeader(file: string, bytes: Buffer): object {
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw invalid(file, 'its header is no JSON', cause);
  }
  if (!isRecord(header)) throw invalid(file, 'its header is no JSON object');
  return header;
}

function metadataOf(file: string, entry: unknown): Record<string, string> {
  if (!isRecord(entry) || !Object.values(entry).every((value) => typeof value === 'string')) {
    throw invalid(file, 'its __metadata__ should map names to strings');
  }
  return entry as Record<string, string>;
}

function tensorOf(source: ByteSource, name: string, entry: unknown, dataStart: number): StoredTensor {
  const { dtype, shape, data_offsets: range } = isRecord(entry) ? entry : {};
  if (typeof dtype !== 'string' || !Object.hasOwn(DTYPE_BYTES, dtype)) {
    throw invalid(source.name, `the tensor ${name} has the unknown type ${brief(dtype)}`);
  }
  if (!isShape(shape)) throw invalid(source.name, `the tensor ${name} has no sensible shape: ${brief(shape)}`);
  if (!Array.isArray(range) || range.length !== 2 || !range.every(isCount)) {
    throw invalid(source.name, `the tensor ${name} should have two data_offsets, not ${brief(range)}`);
  }
  const [begin, end] = range as [number, number];
  const bytes = elementCount(shape) * DTYPE_BYTES[dtype as DType];
  if (end - begin !== bytes) {
    const claim = `${dtype} of shape [${shape}], which takes ${bytes} bytes, but its data_offsets span ${end - begin}`;
    throw invalid(source.name, `the tensor ${name} is ${claim}`);
  }
  checkRange(source, dataStart + begin, bytes, `the tensor ${name}`);
  return { dtype: dtype as DType, shape, offset: dataStart + begin, bytes };
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** A value of the header for a message. Deeply nested ones are not walked. */
function brief(value: unknown): string {
  if (!Array.isArray(value)) return isRecord(value) ? 'a table' : JSON.stringify(value);
  return `[${value.slice(0, 8).map((item) => (typeof item === 'object' ? '…' : item))}]`;
}
