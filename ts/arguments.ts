import { FlavrError, shown } from './errors.js';

/** What a caller's value may be: the words of the message, and whether a value is so. */
export interface Kind {
  readonly words: string;
  readonly fits: (value: unknown) => boolean;
}

/** One that may not be left out. */
export interface Needed extends Kind {
  readonly needed: true;
}

/** Every option of a call with its kind. What may be left out, and is left out or undefined, is not looked at. */
export type Kinds<Options> = {
  readonly [Name in keyof Required<Options>]: undefined extends Options[Name] ? Kind : Needed;
};

export const TEXT: Kind = { words: 'text', fits: (value) => typeof value === 'string' };
export const PATH: Kind = { words: 'a path', fits: (value) => typeof value === 'string' && value !== '' };
export const FLAG: Kind = { words: 'true or false', fits: (value) => typeof value === 'boolean' };
export const CALLBACK: Kind = { words: 'a function', fits: (value) => typeof value === 'function' };
export const SIGNAL: Kind = {
  words: 'an AbortSignal',
  fits: (value) => typeof (value as Partial<AbortSignal> | null)?.addEventListener === 'function',
};

export const whole = (least: number, most = Number.MAX_SAFE_INTEGER): Kind => ({
  words: `a whole number from ${least}${most < Number.MAX_SAFE_INTEGER ? ` to ${most}` : ''}`,
  fits: (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
});

export const oneOf = (...values: readonly string[]): Kind => ({
  words: [values.slice(0, -1).join(', '), values.at(-1)].filter(Boolean).join(' or '),
  fits: (value) => values.includes(value as string),
});

export const either = (a: Kind, b: Kind): Kind => ({
  words: `${a.words}, or ${b.words}`,
  fits: (value) => a.fits(value) || b.fits(value),
});

export const listOf = (kind: Kind): Kind => ({
  words: `a list, each ${kind.words}`,
  fits: (value) => Array.isArray(value) && value.every(kind.fits),
});

export const needed = (kind: Kind): Needed => ({ ...kind, needed: true });

/** @throws FlavrError `BAD_ARGUMENT` naming the argument, what it may be and what came. */
export function checkArgument(name: string, value: unknown, kind: Kind): void {
  if (kind.fits(value)) return;
  throw new FlavrError('BAD_ARGUMENT', `${name} must be ${kind.words}; got ${shown(value)}.`);
}

/**
 * Checks a caller's options. A name that the call does not know is refused: most such names are misspelt, and what they ask
 * for would be left undone without a word.
 * @param call what the caller called, for the message.
 * @throws FlavrError `BAD_ARGUMENT`
 */
export function checkOptions<Options>(call: string, options: unknown, kinds: Kinds<Options>): void {
  // A list of cuts or a signal in place of the options has no names that could be refused.
  if (typeof options !== 'object' || options === null || Array.isArray(options) || SIGNAL.fits(options)) {
    throw new FlavrError('BAD_ARGUMENT', `${call} takes its options as an object; got ${shown(options)}.`);
  }
  const given = options as Readonly<Record<string, unknown>>;
  const stranger = Object.keys(given).find((name) => given[name] !== undefined && !Object.hasOwn(kinds, name));
  if (stranger !== undefined) {
    const known = Object.keys(kinds).join(', ');
    throw new FlavrError('BAD_ARGUMENT', `${call} has no option ${shown(stranger)}; it has ${known}.`);
  }
  for (const [name, kind] of Object.entries<Kind | Needed>(kinds)) {
    if (given[name] !== undefined || 'needed' in kind) checkArgument(name, given[name], kind);
  }
}
