import { elementCount, isCount, isShape } from '../shape.js';
import type { TensorInfo } from './checkpoint.js';
import type { DType } from './dtype.js';
import { PickleGlobal, type PickleHost, PickleObject, type PickleValue } from './pickle.js';
import { invalid } from './source.js';

/** The Python objects that a torch.save pickle may hold, as descriptions: no value of any tensor is read here. */

/** A block of elements that lies elsewhere in the file; tensors are views of it. */
export class StorageRef extends PickleObject {
  constructor(
    readonly key: string,
    readonly dtype: DType,
    readonly elements: number,
  ) {
    super();
  }
}

/** A tensor as the pickle states it, unchecked: `layoutOf` checks one that is wanted. */
export class TensorRef extends PickleObject {
  constructor(readonly args: readonly PickleValue[]) {
    super();
  }
}

/** A checked tensor: element (i, j, …) is at offset + i * strides[0] + j * strides[1] + … in its storage. */
export interface TensorLayout extends TensorInfo {
  readonly storage: StorageRef;
  readonly offset: number;
  readonly strides: readonly number[];
}

class StorageType extends PickleGlobal {
  constructor(
    name: string,
    readonly dtype: DType,
  ) {
    super(name);
  }
}

class NumpyType extends PickleObject {
  constructor(readonly code: PickleValue) {
    super();
  }
}

/** A harmless object that says nothing about weights. */
class Inert extends PickleObject {}
const INERT = new Inert();

const STORAGE_DTYPES: Readonly<Record<string, DType>> = {
  DoubleStorage: 'F64',
  FloatStorage: 'F32',
  HalfStorage: 'F16',
  BFloat16Storage: 'BF16',
  LongStorage: 'I64',
  IntStorage: 'I32',
  ShortStorage: 'I16',
  CharStorage: 'I8',
  ByteStorage: 'U8',
  BoolStorage: 'BOOL',
};

const asIs = (args: readonly PickleValue[]): PickleValue => args[0] ?? [];

/** Everything a pickle may name. A state dict needs the first four; the others occur beside one (best_psnr, lr). */
const ALLOWED: ReadonlyMap<string, PickleGlobal> = new Map(
  [
    ...['torch', 'torch.cuda'].flatMap((module) =>
      Object.entries(STORAGE_DTYPES).map(([name, dtype]) => new StorageType(`${module}.${name}`, dtype)),
    ),
    // Python 3 fills an ordered dict item by item, as any other.
    new PickleGlobal('collections.OrderedDict', (args) => (args.length === 0 ? new Map() : undefined)),
    new PickleGlobal('torch._utils._rebuild_tensor_v2', (args) => new TensorRef(args)),
    new PickleGlobal('torch._utils._rebuild_parameter', asIs),
    new PickleGlobal('torch.Size', asIs),
    new PickleGlobal('torch.device', () => INERT),
    new PickleGlobal('_codecs.encode', encodeLatin1),
    new PickleGlobal('numpy.dtype', (args) => new NumpyType(args[0] ?? null)),
    new PickleGlobal('numpy.core.multiarray.scalar', numpyScalar),
    new PickleGlobal('numpy._core.multiarray.scalar', numpyScalar),
  ].map((global) => [global.name, global]),
);

/** Numpy scalars are shorter; see PickleGlobal on why there is a limit. */
const ENCODED_LIMIT = 32;

/** How Python 3 writes bytes under protocol 2: as text of the same code points. */
function encodeLatin1([text, encoding]: readonly PickleValue[]): PickleValue {
  const short = typeof text === 'string' && encoding === 'latin1' && text.length <= ENCODED_LIMIT;
  return short ? Buffer.from(text, 'latin1') : INERT;
}

function numpyScalar([type, bytes]: readonly PickleValue[]): PickleValue {
  if (!(type instanceof NumpyType && bytes instanceof Uint8Array)) return INERT;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (type.code === 'f8' && bytes.length === 8) return view.getFloat64(0, true);
  if (type.code === 'f4' && bytes.length === 4) return view.getFloat32(0, true);
  return INERT;
}

/** A host that allows torch's globals and notes in `storages` every storage that the pickle refers to. */
export function torchHost(file: string, storages: Map<string, StorageRef>): PickleHost {
  return {
    global: (module, name) => ALLOWED.get(`${module}.${name}`),
    persistent(id) {
      const [kind, type, key, , elements, view] = Array.isArray(id) ? id : [];
      const plain =
        kind === 'storage' && type instanceof StorageType && typeof key === 'string' && (view ?? null) === null;
      if (!plain || !isCount(elements)) {
        throw invalid(file, 'its pickle refers to a storage in a form that torch.save does not write');
      }
      const known = storages.get(key);
      if (known && (known.dtype !== type.dtype || known.elements !== elements)) {
        throw invalid(file, `its pickle describes the storage ${key} in two ways`);
      }
      const storage = known ?? new StorageRef(key, type.dtype, elements);
      storages.set(key, storage);
      return storage;
    },
  };
}

/**
 * The place of a tensor's elements, checked to lie inside its storage without repeating any, so that reading it takes no
 * more memory than the file has bytes.
 * @throws FlavrError `CHECKPOINT_INVALID` naming the tensor.
 */
export function layoutOf(file: string, name: string, { args }: TensorRef): TensorLayout {
  const [storage, offset, shape, strides] = args;
  if (!(storage instanceof StorageRef && isShape(shape) && isCount(offset) && Array.isArray(strides))) {
    throw invalid(file, `the tensor ${name} is described in a form that torch.save does not write`);
  }
  if (strides.length !== shape.length || !strides.every(isCount)) {
    throw invalid(
      file,
      `the tensor ${name} of shape [${shape}] should have ${shape.length} strides, whole numbers from 0`,
    );
  }
  const layout = { dtype: storage.dtype, shape, storage, offset, strides };
  const count = elementCount(shape);
  if (count > storage.elements || layout.offset + spanOf(layout) > storage.elements) {
    throw invalid(
      file,
      `the tensor ${name} of shape [${shape}], strides [${strides}] and offset ${offset} does not fit its storage of ` +
        `${storage.elements} elements`,
    );
  }
  return layout;
}

/** Elements from a tensor's first to its last in the storage, both included. */
export function spanOf({ shape, strides }: TensorLayout): number {
  if (shape.includes(0)) return 0;
  return shape.reduce((span, side, axis) => span + (side - 1) * strides[axis]!, 1);
}
