/** How many elements a tensor of this shape has. */
export const elementCount = (shape: readonly number[]): number => shape.reduce((product, side) => product * side, 1);

/** Whether `value` is an exact whole number from 0: a size or an offset. */
export const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/** Whether `value` is a list of dimensions with a product that is an exact integer. */
export const isShape = (value: unknown): value is number[] =>
  Array.isArray(value) && value.length <= 8 && value.every(isCount) && isCount(elementCount(value));
