import { checkPair, type Picture, rounded, roundedLuma, toBytes, unknownVariant } from './picture.js';

/**
 * How PSNR is taken; papers differ, so a number without its variant says little.
 * - `flavr`: as the official FLAVR code: -10 log10(mse + 1e-8) over all values in [0,1] units, neither clamped nor rounded;
 *   80 dB at most.
 * - `rounded`: over 8-bit values; infinite for equal pictures.
 * - `rounded80`: over 8-bit values, as CAIN's code has it: 80 dB at most.
 * - `y`: over the 8-bit luma of BT.601 (16 to 235), as papers on compressed video do.
 */
export type PsnrVariant = 'flavr' | 'rounded' | 'rounded80' | 'y';

/**
 * Peak signal-to-noise ratio of two pictures of one size, in dB.
 * @throws FlavrError `BAD_ARGUMENT` if the sizes differ, or for an unknown variant.
 */
export function psnr(a: Picture, b: Picture, variant: PsnrVariant = 'flavr'): number {
  checkPair(a, b);
  if (variant === 'flavr') return -10 * Math.log10(meanSquare(a, b) + 1e-8);
  if (variant === 'rounded80') return psnr(rounded(a), rounded(b), 'flavr');
  if (variant !== 'rounded' && variant !== 'y') throw unknownVariant('PSNR', variant);
  const [x, y] = variant === 'y' ? [roundedLuma(toBytes(a)), roundedLuma(toBytes(b))] : [toBytes(a), toBytes(b)];
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += (x[i]! - y[i]!) ** 2;
  return sum === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10((255 * 255 * x.length) / sum);
}

function meanSquare(a: Picture, b: Picture): number {
  const scaleA = a.data instanceof Uint8Array ? 255 : 1;
  const scaleB = b.data instanceof Uint8Array ? 255 : 1;
  let sum = 0;
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i]! / scaleA - b.data[i]! / scaleB) ** 2;
  return sum / a.data.length;
}

/**
 * Interpolation error as Middlebury reports it: the mean absolute difference of 8-bit values.
 * @throws FlavrError `BAD_ARGUMENT` if the sizes differ.
 */
export function interpolationError(a: Picture, b: Picture): number {
  checkPair(a, b);
  const x = toBytes(a);
  const y = toBytes(b);
  let sum = 0;
  for (let i = 0; i < x.length; i++) sum += Math.abs(x[i]! - y[i]!);
  return sum / x.length;
}
