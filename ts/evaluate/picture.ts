import { types } from 'node:util';
import { checkArgument, type Kind, whole } from '../arguments.js';
import { FlavrError, shown } from '../errors.js';

/**
 * A picture to be measured: RGB, interleaved, rows from the top without gaps. Bytes are 0 to 255; floats are in units of
 * 1.0 = white, and may lie outside [0,1] as a network's raw output does.
 */
export interface Picture {
  readonly data: Uint8Array | Float32Array;
  readonly width: number;
  readonly height: number;
}

const LENGTH = whole(1);

export const PICTURE: Kind = {
  words: 'a picture { data, width, height }',
  fits: (value) => {
    const { data, width, height } = (value ?? {}) as Partial<Picture>;
    return (types.isUint8Array(data) || types.isFloat32Array(data)) && LENGTH.fits(width) && LENGTH.fits(height);
  },
};

/** The three channels of a picture as planes of floats in [0,1] units; bytes are divided by 255, nothing is clamped. */
export function planes({ data, width, height }: Picture): Float32Array {
  const pixels = width * height;
  const scale = data instanceof Uint8Array ? 255 : 1;
  const out = new Float32Array(pixels * 3);
  for (let pixel = 0, at = 0; pixel < pixels; pixel++) {
    for (let channel = 0; channel < 3; channel++) out[channel * pixels + pixel] = data[at++]! / scale;
  }
  return out;
}

/** The picture's values as bytes, interleaved: floats are clamped and rounded half to even, as the framed graph does. */
export function toBytes({ data }: Picture): Uint8Array {
  if (data instanceof Uint8Array) return data;
  const out = new Uint8ClampedArray(data.length);
  for (let i = 0; i < data.length; i++) out[i] = data[i]! * 255;
  return new Uint8Array(out.buffer);
}

/** The picture as 8 bits hold it. */
export const rounded = (picture: Picture): Picture => ({ ...picture, data: toBytes(picture) });

/** Luma by ITU-R BT.601 (16 for black, 235 for white), not rounded. */
export function exactLuma(rgb: Uint8Array): Float64Array {
  const out = new Float64Array(rgb.length / 3);
  for (let i = 0, at = 0; i < out.length; i++, at += 3) {
    out[i] = 16 + (65.481 * rgb[at]! + 128.553 * rgb[at + 1]! + 24.966 * rgb[at + 2]!) / 255;
  }
  return out;
}

/** The same as 8 bits hold it. */
export const roundedLuma = (rgb: Uint8Array): Float64Array => exactLuma(rgb).map(Math.round);

/** A caller without types may name any variant. */
export const unknownVariant = (figure: string, variant: never): FlavrError =>
  new FlavrError('BAD_ARGUMENT', `There is no variant ${shown(variant)} of ${figure}.`);

/** @throws FlavrError `BAD_ARGUMENT` unless both pictures have one size and as many values as it says. */
export function checkPair(a: Picture, b: Picture): void {
  checkArgument('The first picture', a, PICTURE);
  checkArgument('The second picture', b, PICTURE);
  for (const { data, width, height } of [a, b]) {
    if (data.length !== width * height * 3) {
      throw new FlavrError(
        'BAD_ARGUMENT',
        `A ${width}x${height} RGB picture has ${width * height * 3} values; got ${data.length}.`,
      );
    }
  }
  if (a.width !== b.width || a.height !== b.height) {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `Only pictures of one size can be compared; got ${a.width}x${a.height} and ${b.width}x${b.height}.`,
    );
  }
}
