import { FlavrError } from '../errors.js';
import {
  checkPair,
  exactLuma,
  type Picture,
  planes,
  rounded,
  roundedLuma,
  toBytes,
  unknownVariant,
} from './picture.js';

/**
 * How SSIM is taken; papers differ, so a number without its variant says little.
 * - `matlab3d`: as the official FLAVR code's `ssim_matlab`: a Gaussian of 11x11x11 and sigma 1.5 over channels, rows and
 *   columns, edges repeated, values clamped to [0,1].
 * - `matlab3d-rounded`: the same of 8-bit values, as CAIN's code has it.
 * - `gaussian2d`: `matlab3d` in two dimensions, each channel by itself.
 * - `gaussian2d-luma`: that of the 8-bit luma (BT.601, 16 to 235), in units of 255.
 * - `uniform7`: scikit-image's default on 8-bit values: a flat 7x7 window with sample covariance, edges left out.
 * - `uniform7-luma`: the same of their luma (BT.601), as XVFI's code has it: the range is that of the first picture's values,
 *   so the order of the two matters.
 */
export type SsimVariant =
  | 'matlab3d'
  | 'matlab3d-rounded'
  | 'gaussian2d'
  | 'gaussian2d-luma'
  | 'uniform7'
  | 'uniform7-luma';

const RADIUS = 5;
const GAUSSIAN = gaussian(RADIUS, 1.5);

interface Volume {
  readonly width: number;
  readonly height: number;
}

/**
 * Structural similarity of two pictures of one size; 1 for equal ones.
 * Source: Wang et al., "Image quality assessment: from error visibility to structural similarity" (2004), K1 = 0.01, K2 = 0.03.
 * @throws FlavrError `BAD_ARGUMENT` if the sizes differ, for an unknown variant, or for pictures smaller than its window (`uniform7`).
 */
export function ssim(a: Picture, b: Picture, variant: SsimVariant = 'matlab3d'): number {
  checkPair(a, b);
  switch (variant) {
    case 'matlab3d':
      return gaussianSsim(clamped(planes(a)), clamped(planes(b)), a, true);
    case 'matlab3d-rounded':
      return ssim(rounded(a), rounded(b), 'matlab3d');
    case 'gaussian2d':
      return gaussianSsim(clamped(planes(a)), clamped(planes(b)), a, false);
    case 'gaussian2d-luma':
      return gaussianSsim(lumaPlane(a), lumaPlane(b), a, false);
    case 'uniform7':
      return uniformSsim(a, b);
    case 'uniform7-luma':
      return uniformLumaSsim(a, b);
    default:
      throw unknownVariant('SSIM', variant);
  }
}

const lumaPlane = (picture: Picture): Float32Array =>
  Float32Array.from(roundedLuma(toBytes(picture)), (value) => value / 255);

/** @param across whether the window goes over the three channels, too. */
function gaussianSsim(x: Float32Array, y: Float32Array, size: Volume, across: boolean): number {
  const blur = (values: Float32Array) => blurPlanes(values, size, across);
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

function clamped(values: Float32Array): Float32Array {
  for (let i = 0; i < values.length; i++) values[i] = Math.min(1, Math.max(0, values[i]!));
  return values;
}

function product(x: Float32Array, y: Float32Array): Float32Array {
  const out = new Float32Array(x.length);
  for (let i = 0; i < x.length; i++) out[i] = x[i]! * y[i]!;
  return out;
}

function gaussian(radius: number, sigma: number): Float64Array {
  const weights = Float64Array.from({ length: 2 * radius + 1 }, (_, i) =>
    Math.exp(-((i - radius) ** 2) / (2 * sigma ** 2)),
  );
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** Separable Gaussian over columns, rows and, if asked, the three channels; edges repeat. */
function blurPlanes(values: Float32Array, { width, height }: Volume, acrossChannels: boolean): Float32Array {
  const both = blurAcross(blurAlong(values, width), height, width);
  return acrossChannels ? blurAcross(both, 3, width * height) : both;
}

/** Along lines of `length` neighbouring values. */
function blurAlong(values: Float32Array, length: number): Float32Array {
  const out = new Float32Array(values.length);
  const line = new Float64Array(length + 2 * RADIUS);
  for (let start = 0; start < values.length; start += length) {
    line.set(values.subarray(start, start + length), RADIUS);
    line.fill(line[RADIUS]!, 0, RADIUS);
    line.fill(line[RADIUS + length - 1]!, RADIUS + length);
    for (let position = 0; position < length; position++) {
      let sum = 0;
      for (let tap = 0; tap < GAUSSIAN.length; tap++) sum += GAUSSIAN[tap]! * line[position + tap]!;
      out[start + position] = sum;
    }
  }
  return out;
}

/** Across blocks of `length` lines, each of `step` values. */
function blurAcross(values: Float32Array, length: number, step: number): Float32Array {
  const out = new Float32Array(values.length);
  for (let block = 0; block < values.length; block += length * step) {
    for (let position = 0; position < length; position++) {
      const target = block + position * step;
      for (let tap = -RADIUS; tap <= RADIUS; tap++) {
        const source = block + Math.min(length - 1, Math.max(0, position + tap)) * step;
        const weight = GAUSSIAN[tap + RADIUS]!;
        for (let i = 0; i < step; i++) out[target + i]! += weight * values[source + i]!;
      }
    }
  }
  return out;
}

const BOX = 7;

function uniformSsim(a: Picture, b: Picture): number {
  const [x, y] = [toBytes(a), toBytes(b)];
  const channels = [0, 1, 2].map((channel) => planeSsim(x, y, a, 255, { channel, channels: 3 }));
  return channels.reduce((sum, value) => sum + value, 0) / 3;
}

function uniformLumaSsim(a: Picture, b: Picture): number {
  const [x, y] = [exactLuma(toBytes(a)), exactLuma(toBytes(b))];
  const [low, high] = x.reduce(([min, max], value) => [Math.min(min, value), Math.max(max, value)], [255, 0]);
  return planeSsim(x, y, a, high - low, { channel: 0, channels: 1 });
}

type Plane = Uint8Array | Float64Array;

/** Where one channel lies among interleaved ones. */
interface Interleaved {
  readonly channel: number;
  readonly channels: number;
}

function planeSsim(x: Plane, y: Plane, size: Volume, peak: number, place: Interleaved): number {
  if (Math.min(size.width, size.height) < BOX) {
    const expected = `This SSIM takes pictures of at least ${BOX}x${BOX}`;
    throw new FlavrError('BAD_ARGUMENT', `${expected}; got ${size.width}x${size.height}.`);
  }
  const unbias = BOX ** 2 / (BOX ** 2 - 1);
  const means = (p: Plane, q?: Plane) => boxMeans(p, q, place, size);
  const [mx, my, xx, yy, xy] = [means(x), means(y), means(x, x), means(y, y), means(x, y)];
  let sum = 0;
  for (let i = 0; i < mx.length; i++) sum += similarity(mx[i]!, my[i]!, xx[i]!, yy[i]!, xy[i]!, peak, unbias);
  return sum / mx.length;
}

/** Means of one channel of `p`, or of `p` times `q`, over every box that lies inside, through a summed-area table. */
function boxMeans(p: Plane, q: Plane | undefined, { channel, channels }: Interleaved, size: Volume): Float64Array {
  const { width, height } = size;
  const stride = width + 1;
  const table = new Float64Array(stride * (height + 1));
  for (let row = 0, at = channel; row < height; row++) {
    let line = 0;
    for (let column = 1; column <= width; column++, at += channels) {
      line += q ? p[at]! * q[at]! : p[at]!;
      table[(row + 1) * stride + column] = table[row * stride + column]! + line;
    }
  }
  const [columns, rows] = [width - BOX + 1, height - BOX + 1];
  const out = new Float64Array(columns * rows);
  for (let row = 0, i = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++, i++) {
      const top = row * stride + column;
      const bottom = top + BOX * stride;
      out[i] = (table[bottom + BOX]! - table[bottom]! - table[top + BOX]! + table[top]!) / BOX ** 2;
    }
  }
  return out;
}
