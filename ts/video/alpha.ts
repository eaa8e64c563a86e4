import { type Rational, rational, toNumber } from '../rational.js';

/**
 * The alpha planes of a video's frames, blended linearly at positions between them: the model makes colours only. Planes
 * behind the last position asked for are forgotten.
 */
export class AlphaTrack {
  readonly #planes: Uint8Array[] = [];
  /** Index of the first plane kept. */
  #first = 0;

  /** Takes the next source frame's plane. */
  push(plane: Uint8Array): void {
    this.#planes.push(plane);
  }

  /** @param position in source frames, never less than at the call before; 7/2 lies midway between frames 3 and 4. */
  at(position: Rational): Uint8Array {
    const index = Number(position.num / position.den);
    this.#planes.splice(0, index - this.#first);
    this.#first = index;
    const weight = toNumber(rational(position.num % position.den, position.den));
    const [before, after] = this.#planes;
    return weight === 0 ? before! : blend(before!, after!, weight);
  }
}

function blend(before: Uint8Array, after: Uint8Array, weight: number): Uint8Array {
  const plane = new Uint8Array(before.length);
  for (let i = 0; i < plane.length; i++) plane[i] = Math.round(before[i]! + (after[i]! - before[i]!) * weight);
  return plane;
}
