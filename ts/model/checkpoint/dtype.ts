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
      return halvesToFloats(new Uint16Array(buffer, byteOffset, count));
    case 'BF16':
      return upperHalvesToFloats(new Uint16Array(buffer, byteOffset, count));
    default:
      throw new RangeError(`${dtype} is no floating-point type`);
  }
}

// Weights come in millions: `from` with a function takes twenty times as long as these loops.

/** A bfloat16 is the upper half of a float32. */
function upperHalvesToFloats(patterns: Uint16Array): Float32Array {
  const words = new Uint32Array(patterns.length);
  for (let i = 0; i < words.length; i++) words[i] = patterns[i]! << 16;
  return new Float32Array(words.buffer);
}

/** The float of every half, once one is asked for. */
let floatOfHalf: Float32Array | undefined;

function halvesToFloats(patterns: Uint16Array): Float32Array {
  floatOfHalf ??= Float32Array.from({ length: 1 << 16 }, (_, bits) => halfToFloat(bits));
  const floats = new Float32Array(patterns.length);
  for (let i = 0; i < floats.length; i++) floats[i] = floatOfHalf[patterns[i]!]!;
  return floats;
}

/** The value of an IEEE 754 binary16 bit pattern. */
function halfToFloat(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 0x3ff;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * 2 ** -24 * fraction;
}
