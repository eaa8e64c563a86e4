import { FlavrError } from '../errors.js';
import type { Picture } from './picture.js';
import type { Preparation } from './protocol.js';

/** A picture of bytes: what is read from a file and what a protocol's preparation makes of it. */
export interface BytePicture extends Picture {
  readonly data: Uint8Array;
}

/** Applies a protocol's preparation to one frame. Pure. */
export function prepare(picture: BytePicture, preparation: Preparation): BytePicture {
  switch (preparation.kind) {
    case 'none':
      return picture;
    case 'centre-crop':
      return centreCrop(picture, preparation.width, preparation.height);
    case 'halve':
      return halve(picture);
  }
}

function centreCrop({ data, width, height }: BytePicture, wantedWidth: number, wantedHeight: number): BytePicture {
  const [w, h] = [Math.min(width, wantedWidth), Math.min(height, wantedHeight)];
  if (w === width && h === height) return { data, width, height };
  // As torchvision's CenterCrop: the remainder of an odd difference rounds half to even.
  const left = roundHalfEven((width - w) / 2);
  const top = roundHalfEven((height - h) / 2);
  const out = new Uint8Array(w * h * 3);
  for (let row = 0; row < h; row++) {
    const start = ((top + row) * width + left) * 3;
    out.set(data.subarray(start, start + w * 3), row * w * 3);
  }
  return { data: out, width: w, height: h };
}

/** Each 2x2 block to its mean, half upwards: OpenCV's INTER_AREA at a ratio of exactly two. */
function halve({ data, width, height }: BytePicture): BytePicture {
  if (width % 2 !== 0 || height % 2 !== 0) {
    throw new FlavrError('DATASET_INVALID', `Halving needs even sides; got ${width}x${height}.`);
  }
  const [w, h] = [width / 2, height / 2];
  const out = new Uint8Array(w * h * 3);
  for (let row = 0; row < h; row++) {
    for (let at = 0; at < w * 3; at++) {
      const from = 2 * row * width * 3 + (at - (at % 3)) * 2 + (at % 3);
      const below = from + width * 3;
      out[row * w * 3 + at] = (data[from]! + data[from + 3]! + data[below]! + data[below + 3]! + 2) >> 2;
    }
  }
  return { data: out, width: w, height: h };
}

function roundHalfEven(value: number): number {
  const rounded = Math.round(value);
  return rounded - value === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded;
}
