import { checkPair, type Picture, planes, toBytes } from './picture.js';

/**
 * How SSIM is taken; papers differ, so a number without its variant says little.
 * - `matlab3d`: as the official FLAVR code's `ssim_matlab`: a Gaussian of 11x11x11 and sigma 1.5 over channels, rows and
 *   columns, edges repeated, values clamped to [0,1].
 * - `gaussian2d`: the same in two dimensions, each channel by itself.
 * - `uniform7`: scikit-image's default on 8-bit values: a flat 7x7 window with sample covariance, edges left out.
 */
export type SsimVariant = 'matlab3d' | 'gaussian2d' | 'uniform7';

const RADIUS = 5;
const GAUSSIAN = gaussian(RADIUS, 1.5);

interface Volume {
  readonly width: number;
  readonly height: number;
}

/**
 * Structural similarity of two pictures of one size; 1 for equal ones.
 * Source: Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), K1 = 0.01, K2 = 0.03.
 * @throws FlavrError `BAD_ARGUMENT` if the sizes differ.
 */
export function ssim(a: Picture, b: Picture, variant: SsimVariant = 'matlab3d'): number {
  checkPair(a, b);
  if (variant === 'uniform7') return uniformSsim(a, b);
  const x = planes(a).map(clamp);
  const y = planes(b).map(clamp);
  const across = variant === 'matlab3d';
  const blur = (values: Float32Array) => blurPlanes(values, a, across);
  const mean = { x: blur(x), y: blur(y) };
  const square = { xx: blur(product(x, x)), yy: blur(product(y, y)), xy: blur(product(x, y)) };
  let sum = 0;
  for (let i = 0; i < x.length; i++) {
    sum += similarity(mean.x[i]!, mean.y[i]!, square.xx[i]!, square.yy[i]!, square.xy[i]!, 1);
  }
  return sum / x.length;
}

/** SSIM of one place from the local means of x, y and their products; `peak` is the range of the values. */
function similarity(mx: number, my: number, xx: number, yy: number, xy: number, peak: number, unbias = 1): number {
  const c1 = (0.01 * peak) ** 2;
  const c2 = (0.03 * peak) ** 2;
  const varianceX = (xx - mx * mx) * unbias;
  const varianceY = (yy - my * my) * unbias;
  const covariance = (xy - mx * my) * unbias;
  return ((2 * mx * my + c1) * (2 * covariance + c2)) / ((mx * mx + my * my + c1) * (varianceX + varianceY + c2));
}

const clamp = (value: number): number => Math.min(1, Math.max(0, value));
const product = (x: Float32Array, y: Float32Array): Float32Array => x.map((value, i) => value * y[i]!);

function gaussian(radius: number, sigma: number): Float64Array {
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Separable Gaussian over columns, rows and, if asked, the three channels; edges repeat. */
function blurPlanes(values: Float32Array, { width, height }: Volume, acrossChannels: boolean): Float32Array {
  const rows = blurAxis(values, width, 1);
  const both = blurAxis(rows, height, width);
  return acrossChannels ? blurAxis(both, 3, width * height) : both;
}

/** One axis: `length` values, `step` apart, for every line of the array along it. */
function blurAxis(values: Float32Array, length: number, step: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let block = 0; block < values.length; block += length * step) {
    for (let position = 0; position < length; position++) {
      for (let tap = -RADIUS; tap <= RADIUS; tap++) {
        const source = block + Math.min(length - 1, Math.max(0, position + tap)) * step;
        const target = block + position * step;
        const weight = GAUSSIAN[tap + RADIUS]!;
        for (let i = 0; i < step; i++) out[target + i]! += weight * values[source + i]!;
      }
    }
  }
  return out;
}

function uniformSsim(a: Picture, b: Picture): number {
  const size = 7;
  const x = toBytes(a);
  const y = toBytes(b);
  const { width, height } = a;
  const unbias = size ** 2 / (size ** 2 - 1);
  let sum = 0;
  for (let channel = 0; channel < 3; channel++) {
    const value = (of: Uint8Array) => (column: number, row: number) => of[(row * width + column) * 3 + channel]!;
    const [p, q] = [value(x), value(y)];
    const mean = (f: (column: number, row: number) => number) => boxMeans(width, height, size, f);
    const mx = mean(p);
    const my = mean(q);
    const xx = mean((c, r) => p(c, r) ** 2);
    const yy = mean((c, r) => q(c, r) ** 2);
    const xy = mean((c, r) => p(c, r) * q(c, r));
    sum +=
      mx.reduce((total, m, i) => total + similarity(m, my[i]!, xx[i]!, yy[i]!, xy[i]!, 255, unbias), 0) / mx.length;
  }
  return sum / 3;
}

/** Means over every size x size box that lies inside, through a summed-area table. */
function boxMeans(
  width: number,
  height: number,
  size: number,
  value: (column: number, row: number) => number,
): Float64Array {
  const table = new Float64Array((width + 1) * (height + 1));
  for (let row = 0; row < height; row++) {
    let line = 0;
    for (let column = 0; column < width; column++) {
      line += value(column, row);
      table[(row + 1) * (width + 1) + column + 1] = table[row * (width + 1) + column + 1]! + line;
    }
  }
  const [columns, rows] = [width - size + 1, height - size + 1];
  return Float64Array.from({ length: columns * rows }, (_, i) => {
    const top = Math.floor(i / columns) * (width + 1) + (i % columns);
    const bottom = top + size * (width + 1);
    return (table[bottom + size]! - table[bottom]! - table[top + size]! + table[top]!) / size ** 2;
  });
}
