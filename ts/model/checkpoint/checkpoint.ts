import type { CheckpointFormat } from '../format.js';
import { type DType, FLOAT_DTYPES } from './dtype.js';
import { invalid } from './source.js';

/** What a checkpoint says of a tensor, before any of its values are read. */
export interface TensorInfo {
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** An opened checkpoint of any format. Opening reads names and shapes only; values are read one tensor at a time. */
export interface Checkpoint {
  readonly format: CheckpointFormat;
  /** The file's base name, for messages. */
  readonly name: string;
  /** Tensors under the names that the file gives them, in its order. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Safetensors' metadata; of a torch.save file the numbers and strings beside the state dict (epoch, best_psnr, …). */
  readonly metadata: Readonly<Record<string, string>>;
  /**
   * Values in row-major order, as float32.
   * @throws FlavrError `CHECKPOINT_INVALID` if there is no such tensor, if it is no floating-point one, or if the file ends early.
   */
  read(tensor: string): Promise<Float32Array>;
  close(): Promise<void>;
}

/** The entry of `tensors` to read, refused unless it exists and holds floating-point values. */
export function floatTensor<T extends TensorInfo>(file: string, tensors: ReadonlyMap<string, T>, tensor: string): T {
  const info = tensors.get(tensor);
  if (!info) throw invalid(file, `it has no tensor ${tensor}`);
  if (!FLOAT_DTYPES.has(info.dtype))
    throw invalid(file, `the tensor ${tensor} should hold floats but is ${info.dtype}`);
  return info;
}
