import { FlavrError } from '../errors.js';
import { parseRational, type Rational, rational } from '../rational.js';

// Readers of option values. Each gives undefined for an option that was not given, and names the option when it refuses.

export const BACKENDS = ['auto', 'tensorrt', 'tensorrt-rtx', 'cpu'] as const;
export const PRECISIONS = ['fp16', 'fp32', 'tf32', 'int8'] as const;

function refuse(option: string, expected: string, got: string): never {
  throw new FlavrError('BAD_ARGUMENT', `${option} must be ${expected}; got "${got}".`);
}

export function integerOption(option: string, text: string | undefined, least: number, most: number) {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : refuse(option, `a whole number from ${least} to ${most}`, text);
}

export function numberOption(option: string, text: string | undefined, least: number, most: number) {
  if (text === undefined) return undefined;
  const value = text.trim() === '' ? Number.NaN : Number(text);
  return value >= least && value <= most ? value : refuse(option, `a number from ${least} to ${most}`, text);
}

export function choiceOption<const C extends string>(
  option: string,
  text: string | undefined,
  choices: readonly C[],
): C | undefined {
  if (text === undefined) return undefined;
  return choices.find((choice) => choice === text) ?? refuse(option, `one of ${choices.join(', ')}`, text);
}

/** A positive rate such as 60, 59.94 or 60000/1001, exact. */
export function rateOption(option: string, text: string | undefined): Rational | undefined {
  if (text === undefined) return undefined;
  const rate = parseRational(text, option);
  return rate.num > 0n ? rate : refuse(option, 'more than 0', text);
}

/** After a colon there are at most 59 minutes and less than 60 seconds. */
const TIME = /^(?:(?:(\d+):(?=[0-5]?\d:))?(\d+):(?=[0-5]?\d(?:\.|$)))?(\d+(?:\.\d+)?)$/;

/** A time such as 12.5, 1:02.5 or 1:00:00, in seconds, exact. */
export function timeOption(option: string, text: string | undefined): Rational | undefined {
  if (text === undefined) return undefined;
  const match = TIME.exec(text.trim());
  if (!match) return refuse(option, 'seconds or [H:]MM:SS, such as 12.5 or 1:02.5', text);
  const [, hours = '0', minutes = '0', seconds = '0'] = match;
  const { num, den } = parseRational(seconds, option);
  return rational(num + (BigInt(hours) * 3600n + BigInt(minutes) * 60n) * den, den);
}

/** `WxH` in pixels. */
export function sizeOption(option: string, text: string): { width: number; height: number } {
  const match = /^(\d{1,5})x(\d{1,5})$/.exec(text);
  return match
    ? { width: Number(match[1]), height: Number(match[2]) }
    : refuse(option, 'a size such as 1280x720', text);
}

/** `KEY=VALUE` words as a record; a key given twice keeps its last value. */
export function keyValueOption(option: string, texts: readonly string[] | undefined): Record<string, string> {
  return Object.fromEntries(
    (texts ?? []).map((text) => {
      const at = text.indexOf('=');
      return at > 0 ? [text.slice(0, at), text.slice(at + 1)] : refuse(option, 'KEY=VALUE', text);
    }),
  );
}

/** A number from 0 to 1, or `off`. */
export function thresholdOption(option: string, text: string | undefined): number | 'off' | undefined {
  return text === 'off' ? 'off' : numberOption(option, text, 0, 1);
}
