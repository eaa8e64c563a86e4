const { compare } = new Intl.Collator('en', { numeric: true });

/** Orders names by the numbers in them, frame2 before frame10; names that read alike (a, A) by their code units. */
export const naturalOrder = (a: string, b: string): number => compare(a, b) || (a < b ? -1 : 1);

/** A number in a name, and what stands around it. */
export interface Numbered {
  readonly before: string;
  /** As written, with its zeros. */
  readonly digits: string;
  readonly after: string;
}

// Longer ones are no exact numbers in JavaScript.
const MOST_DIGITS = 15;

/** The number by which each name differs from the others; undefined where they differ in more, or have none. */
export function numbering(names: readonly string[]): Numbered[] | undefined {
  const numbers: Numbered[] = [];
  for (const name of names) {
    const [, before = '', digits, after = ''] = /^(.*?)(\d+)(\D*)$/.exec(name) ?? [];
    const [first] = numbers;
    if (digits === undefined || digits.length > MOST_DIGITS) return undefined;
    if (first && (first.before !== before || first.after !== after)) return undefined;
    numbers.push({ before, digits, after });
  }
  return numbers;
}

/** How far each number is from the one before. */
export const numberSteps = (numbers: readonly Numbered[]): number[] =>
  numbers.slice(1).map(({ digits }, i) => Number(digits) - Number(numbers[i]!.digits));

/** The smallest step that leads on; infinite where none does. */
export const usualStep = (steps: readonly number[]): number =>
  steps.reduce((least, step) => (step > 0 && step < least ? step : least), Number.POSITIVE_INFINITY);

/**
 * The first two neighbours among numbered names, in natural order, between which numbers are missing: f2 and f5 in f1, f2,
 * f5. Names that differ in more than one number, and steps that are all the same, are missing nothing.
 */
export function numberingGap(names: readonly string[]): readonly [string, string] | undefined {
  const steps = numberSteps(numbering(names) ?? []);
  const usual = usualStep(steps);
  const gap = steps.findIndex((step) => step > usual);
  return gap < 0 ? undefined : [names[gap]!, names[gap + 1]!];
}
