import { fromHalf } from '../onnx/half.js';

/** Element types of the tensors in checkpoints, under safetensors' names. */
export type DType = 'F64' | 'F32' | 'F16' | 'BF16' | 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

export const DTYPE_BYTES: Readonly<Record<DType, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  I32: 4,
  I16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** The types that `decodeFloats` converts; weights have no other. */
export const FLOAT_DTYPES: ReadonlySet<DType> = new Set<DType>(['F64', 'F32', 'F16', 'BF16']);

/**
 * Little-endian floating-point elements as float32 (float64 is rounded). `bytes` must start at a multiple of the element
 * size in its buffer; F32 gives a view of it, not a copy. The host is little-endian, like every platform Node is built for
 * that the optional peers support.
 */
export function decodeFloats(dtype: DType, bytes: Uint8Array): Float32Array {
  const { buffer, byteOffset } = bytes;
  const count = bytes.byteLength / DTYPE_BYTES[dtype];
  switch (dtype) {
    case 'F32':
      return new Float32Array(buffer, byteOffset, count);
    case 'F64':
      return new Float32Array(new Float64Array(buffer, byteOffset, count));
    case 'F16':
      return fromHalf(new Uint16Array(buffer, byteOffset, count));
    case 'BF16':
      return upperHalvesToFloats(new Uint16Array(buffer, byteOffset, count));
    default:
      throw new RangeError(`${dtype} is no floating-point type`);
  }
}

/** bfloat16 to float32, of which it is the upper half. A loop, since `from` with a function takes twenty times as long. */
function upperHalvesToFloats(patterns: Uint16Array): Float32Array {
  const words = new Uint32Array(patterns.length);
  for (let i = 0; i < words.length; i++) words[i] = patterns[i]! << 16;
  return new Float32Array(words.buffer);
}
