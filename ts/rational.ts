import { either, type Kind, TEXT } from './arguments.js';
import { FlavrError, shown } from './errors.js';

/**
 * An exact fraction in lowest terms with a positive denominator. All times (in seconds) and rates (per second) are kept
 * so, because a float drifts: 30000/1001 frames per second is off by a frame after a few hours.
 */
export interface Rational {
  readonly num: bigint;
  readonly den: bigint;
}

/** Two bigints, the second greater than 0. */
function isRational(value: unknown): value is Rational {
  const { num, den } = (value ?? {}) as Record<string, unknown>;
  return typeof num === 'bigint' && typeof den === 'bigint' && den > 0n;
}

/** What `exactly` takes, as far as its type tells. */
export const EXACT: Kind = either(
  { words: 'a number or text such as 60000/1001', fits: (value) => typeof value === 'number' || TEXT.fits(value) },
  { words: 'a fraction made by rational(num, den) or parseRational()', fits: isRational },
);

/** @throws FlavrError `BAD_ARGUMENT` if a caller's value is no fraction. */
export function checkRational(value: unknown, what: string): asserts value is Rational {
  if (isRational(value)) return;
  throw new FlavrError('BAD_ARGUMENT', `${what} must be a fraction, made by rational(num, den) or parseRational().`);
}

export const ZERO: Rational = { num: 0n, den: 1n };

function gcd(a: bigint, b: bigint): bigint {
  while (b !== 0n) [a, b] = [b, a % b];
  return a < 0n ? -a : a;
}

/** num/den in lowest terms. @throws FlavrError `BAD_ARGUMENT` if one of them is no whole number, or den is 0. */
export function rational(num: bigint | number, den: bigint | number = 1n): Rational {
  let n = wholeNumber(num);
  let d = wholeNumber(den);
  if (d === 0n) throw new FlavrError('BAD_ARGUMENT', 'A fraction was given with denominator 0.');
  if (d < 0n) [n, d] = [-n, -d];
  const g = gcd(n, d) || 1n;
  return { num: n / g, den: d / g };
}

function wholeNumber(value: bigint | number): bigint {
  if (typeof value === 'bigint') return value;
  if (Number.isInteger(value)) return BigInt(value);
  throw new FlavrError(
    'BAD_ARGUMENT',
    `rational takes whole numbers; got ${shown(value)}. parseRational reads decimals.`,
  );
}

export const add = (a: Rational, b: Rational): Rational => rational(a.num * b.den + b.num * a.den, a.den * b.den);
export const subtract = (a: Rational, b: Rational): Rational => rational(a.num * b.den - b.num * a.den, a.den * b.den);
export const multiply = (a: Rational, b: Rational): Rational => rational(a.num * b.num, a.den * b.den);
export const divide = (a: Rational, b: Rational): Rational => rational(a.num * b.den, a.den * b.num);

/** Negative, zero or positive as a is less than, equal to or greater than b. */
export function compare(a: Rational, b: Rational): number {
  const difference = a.num * b.den - b.num * a.den;
  return difference < 0n ? -1 : difference > 0n ? 1 : 0;
}

/** For display and for interfaces that take floats; never for arithmetic on times. */
export function toNumber(a: Rational): number {
  checkRational(a, 'The value');
  return Number(a.num) / Number(a.den);
}

/**
 * Reads `60`, `59.94`, `60000/1001` or a number exactly as written (a decimal is its decimal fraction, not the nearest
 * double; a number is taken through its shortest decimal form).
 * @param what names the value in the message. Default: The text.
 * @throws FlavrError `BAD_ARGUMENT` if it is none of these.
 */
export function parseRational(text: string | number, what = 'The text'): Rational {
  const match = /^([+-]?\d+)(?:\.(\d+))?(?:\/(\d+))?$/.exec(typeof text === 'object' ? '' : String(text).trim());
  if (!match || (match[2] && match[3]) || /^0+$/.test(match[3] ?? '')) {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `${what} must be a number such as 60, 59.94 or 60000/1001; got ${shown(text)}.`,
    );
  }
  const [, whole, decimals = '', den] = match;
  return den
    ? rational(BigInt(whole!), BigInt(den))
    : rational(BigInt(whole! + decimals), 10n ** BigInt(decimals.length));
}

/** A fraction as it is, a number or text as `parseRational` reads it. @throws FlavrError `BAD_ARGUMENT` if it is none of these. */
export function exactly(value: Rational | number | string, what: string): Rational {
  if (typeof value !== 'object') return parseRational(value, what);
  checkRational(value, what);
  return value;
}
