const { compare } = new Intl.Collator('en', { numeric: true });

/** Orders names by the numbers in them, frame2 before frame10; names that read alike (a, A) by their code units. */
export const naturalOrder = (a: string, b: string): number => compare(a, b) || (a < b ? -1 : 1);

/**
 * The first two neighbours among numbered names, in natural order, between which numbers are missing: f2 and f5 in f1, f2,
 * f5. Names that differ in more than one number, and steps that are all the same, are missing nothing.
 */
export function numberingGap(names: readonly string[]): readonly [string, string] | undefined {
  const numbers: number[] = [];
  let shape: string | undefined;
  for (const name of names) {
    const [, before, digits, after] = /^(.*?)(\d+)(\D*)$/.exec(name) ?? [];
    shape ??= `${before}0${after}`;
    if (digits === undefined || shape !== `${before}0${after}`) return undefined;
    numbers.push(Number(digits));
  }
  const steps = numbers.slice(1).map((number, i) => number - numbers[i]!);
  const usual = steps.reduce((least, step) => (step > 0 && step < least ? step : least), Number.POSITIVE_INFINITY);
  const gap = steps.findIndex((step) => step > usual);
  return gap < 0 ? undefined : [names[gap]!, names[gap + 1]!];
}
