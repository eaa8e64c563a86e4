/**
 * float32 to IEEE half precision, rounded to nearest, ties to even. Values beyond half's range become infinities, NaN stays.
 * @returns the halves' bit patterns, one for each value.
 */
export function toHalf(values: Float32Array): Uint16Array {
  const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const halves = new Uint16Array(values.length);
  for (let i = 0; i < bits.length; i++) {
    const word = bits[i]!;
    const sign = (word >>> 16) & 0x8000;
    const magnitude = word & 0x7fffffff;
    if (magnitude >= 0x47800000) {
      // 65536 and up, infinity, NaN.
      halves[i] = sign | (magnitude > 0x7f800000 ? 0x7e00 : 0x7c00);
    } else if (magnitude >= 0x38800000) {
      // Normal: move the exponent's bias from 127 to 15; the carry of the rounding may reach infinity, rightly.
      const rebiased = magnitude - 0x38000000;
      halves[i] = sign | ((rebiased + 0x0fff + ((rebiased >>> 13) & 1)) >>> 13);
    } else if (magnitude >= 0x33000000) {
      // Subnormal: the mantissa with its hidden bit, shifted to units of 2^-24.
      const mantissa = (magnitude & 0x7fffff) | 0x800000;
      const shift = 126 - (magnitude >>> 23);
      const half = 1 << (shift - 1);
      halves[i] = sign | ((mantissa + half - 1 + ((mantissa >>> shift) & 1)) >>> shift);
    } else {
      halves[i] = sign;
    }
  }
  return halves;
}

/** What a unit of a half's mantissa is worth, by its exponent; subnormals share the smallest. */
const UNITS = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (Math.max(exponent, 1) - 25));

/** Half precision to float32, exactly. */
export function fromHalf(halves: Uint16Array): Float32Array {
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    const exponent = (half >>> 10) & 0x1f;
    const mantissa = half & 0x3ff;
    const sign = half & 0x8000 ? -1 : 1;
    if (exponent === 31) values[i] = mantissa ? Number.NaN : sign * Number.POSITIVE_INFINITY;
    else values[i] = sign * UNITS[exponent]! * (exponent === 0 ? mantissa : 1024 + mantissa);
  }
  return values;
}
