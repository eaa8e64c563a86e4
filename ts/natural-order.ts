const { compare } = new Intl.Collator('en', { numeric: true });

/** Orders names by the numbers in them, frame2 before frame10; names that read alike (a, A) by their code units. */
export const naturalOrder = (a: string, b: string): number => compare(a, b) || (a < b ? -1 : 1);
