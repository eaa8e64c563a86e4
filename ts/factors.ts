import { FlavrError, shown } from './errors.js';

// Six passes of a 2x model; more frames than this between two real ones show the model, not the scene.
const LARGEST = 64;

/** The factors that one pass of a model with factor m can have: its divisors greater than 1, largest first. */
export function passFactors(m: number): number[] {
  const divisors: number[] = [];
  for (let d = m; d > 1; d--) if (m % d === 0) divisors.push(d);
  return divisors;
}

/** The shortest list of pass factors with product k, of these the one with the largest first; undefined if there is none. */
function shortestProduct(k: number, factors: readonly number[]): number[] | undefined {
  if (k === 1) return [];
  let best: number[] | undefined;
  for (const factor of factors) {
    if (k % factor !== 0) continue;
    const rest = shortestProduct(
      k / factor,
      factors.filter((f) => f <= factor),
    );
    if (rest && (!best || rest.length + 1 < best.length)) best = [factor, ...rest];
  }
  return best;
}

/** Every k that a model with factor m can do, ascending, from 2 to 64 (or to m, if that is larger). */
export function supportedFactors(m: number): number[] {
  const factors = passFactors(m);
  const supported: number[] = [];
  for (let k = 2; k <= Math.max(LARGEST, m); k++) if (shortestProduct(k, factors)) supported.push(k);
  return supported;
}

/** How many passes of a model with factor m multiply the frame rate by k; undefined if none do. */
export const countPasses = (m: number, k: number): number | undefined =>
  isFactor(k) ? shortestPasses(m, k)?.length : undefined;

const isFactor = (k: number): boolean => Number.isInteger(k) && k >= 1;

const shortestPasses = (m: number, k: number): number[] | undefined =>
  k <= Math.max(LARGEST, m) ? shortestProduct(k, passFactors(m)) : undefined;

/**
 * The passes that multiply the frame rate by k with a model of factor m, largest first; none for k = 1.
 * @throws FlavrError `BAD_ARGUMENT` if k is no whole number from 1, `UNSUPPORTED_FACTOR` if this model cannot do it.
 */
export function passesFor(m: number, k: number): number[] {
  if (!isFactor(k)) {
    throw new FlavrError('BAD_ARGUMENT', `The factor k must be a whole number from 1; got ${shown(k)}.`);
  }
  const passes = shortestPasses(m, k);
  if (passes) return passes;
  const supported = supportedFactors(m);
  throw new FlavrError(
    'UNSUPPORTED_FACTOR',
    `This model (factor ${m}) cannot do k = ${k}. It can do ${supported.join(', ')}; choose one of these, or interpolate to a target rate (fps).`,
  );
}
