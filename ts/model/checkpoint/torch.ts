import { elementCount } from '../shape.js';
import { type Checkpoint, floatTensor } from './checkpoint.js';
import { DTYPE_BYTES, decodeFloats } from './dtype.js';
import type { PickleValue } from './pickle.js';
import { type ByteSource, invalid, readBytes } from './source.js';
import { layoutOf, type StorageRef, spanOf, type TensorLayout, TensorRef } from './torch-objects.js';

/** The keys under which training programs put a state dict, the most telling first. */
const STATE_KEYS = ['state_dict', 'model_state_dict', 'params_ema', 'params', 'model'];
/** A state dict may lie in a dict that lies in another one. */
const NESTING_LIMIT = 3;
/** Metadata is for people to read; longer texts (configuration files, logs) are left out. */
const METADATA_LENGTH_LIMIT = 200;

/** What the two torch.save formats have in common once their pickle is read. */
export interface TorchContents {
  readonly format: 'torch-zip' | 'torch-legacy';
  readonly root: PickleValue;
  /** The byte offset of a storage's first element, checked to be followed by all the others. */
  locate(storage: StorageRef): Promise<number>;
}

/**
 * The state dict of a torch.save file as a checkpoint. Takes over `source`.
 * @throws FlavrError `CHECKPOINT_INVALID` if there is none, or naming a tensor that does not fit its storage.
 */
export function torchCheckpoint(source: ByteSource, { format, root, locate }: TorchContents): Checkpoint {
  const state = findStateDict(root);
  if (!state) {
    throw invalid(source.name, `it holds no state dict, neither at its top nor under ${STATE_KEYS.join(', ')}`);
  }
  const tensors = new Map<string, TensorLayout>();
  for (const [name, value] of state) {
    if (typeof name === 'string' && value instanceof TensorRef) tensors.set(name, layoutOf(source.name, name, value));
  }
  return {
    format,
    name: source.name,
    tensors,
    metadata: root instanceof Map && root !== state ? metadataOf(root) : {},
    async read(name) {
      const layout = floatTensor(source.name, tensors, name);
      const size = DTYPE_BYTES[layout.dtype];
      const start = (await locate(layout.storage)) + layout.offset * size;
      const bytes = await readBytes(source, start, spanOf(layout) * size, `the tensor ${name}`);
      return inRowMajorOrder(decodeFloats(layout.dtype, bytes), layout);
    },
    close: () => source.close(),
  };
}

/** The dict that maps names to tensors: `value` itself, or the one it holds under a usual key. */
function findStateDict(value: PickleValue, depth = 0): Map<PickleValue, PickleValue> | undefined {
  if (!(value instanceof Map) || depth === NESTING_LIMIT) return undefined;
  for (const [key, entry] of value) if (typeof key === 'string' && entry instanceof TensorRef) return value;
  for (const key of STATE_KEYS) {
    const found = findStateDict(value.get(key) ?? null, depth + 1);
    if (found) return found;
  }
  return undefined;
}

function metadataOf(root: Map<PickleValue, PickleValue>): Record<string, string> {
  const entries: [string, string][] = [];
  for (const [key, value] of root) {
    if (typeof key !== 'string' || !['string', 'number', 'bigint', 'boolean'].includes(typeof value)) continue;
    const text = String(value);
    if (key.length + text.length <= METADATA_LENGTH_LIMIT) entries.push([key, text]);
  }
  return Object.fromEntries(entries);
}

/** Gathers a transposed or sliced tensor; an ordinary one is returned as it is. */
function inRowMajorOrder(stored: Float32Array, { shape, strides }: TensorLayout): Float32Array {
  const count = elementCount(shape);
  let expected = 1;
  let contiguous = true;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (shape[axis] !== 1 && strides[axis] !== expected) contiguous = false;
    expected *= shape[axis]!;
  }
  if (contiguous) return stored;

  const gathered = new Float32Array(count);
  const index = shape.map(() => 0);
  let from = 0;
  for (let to = 0; to < count; to++) {
    gathered[to] = stored[from]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      index[axis]! += 1;
      from += strides[axis]!;
      if (index[axis]! < shape[axis]!) break;
      from -= shape[axis]! * strides[axis]!;
      index[axis] = 0;
    }
  }
  return gathered;
}
