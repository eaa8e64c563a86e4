/** Where values lie along an axis. */
export interface Scale {
  /** Round values, ascending, of which the first and the last are the ends of the axis. */
  readonly ticks: readonly number[];
  /** The place of a value, in pixels. */
  at(value: number): number;
}

/** An even scale whose ends are round values around the data, or 0 and a round value above it. */
export function linearScale(values: readonly number[], from: number, to: number, fromZero = false): Scale {
  const ticks = niceTicks(fromZero ? [0, ...values] : values);
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  return { ticks, at: (value) => from + ((value - low) / (high - low)) * (to - from) };
}

/** A logarithmic scale of 1, 2, 5, 10 … around the data, which is greater than 0. */
export function logScale(values: readonly number[], from: number, to: number): Scale {
  const all = finite(values).filter((value) => value > 0);
  const least = Math.min(...all, Number.POSITIVE_INFINITY);
  const most = Math.max(...all, 0);
  if (least > most) return logScale([1, 10], from, to);
  const powers = Array.from({ length: 40 }, (_, i) => i - 20).flatMap((power) =>
    [1, 2, 5].map((unit) => Number(`${unit}e${power}`)),
  );
  const first = powers.findLastIndex((power) => power <= least);
  const last = powers.findIndex((power) => power >= most);
  const ticks = powers.slice(Math.max(0, first), Math.max(last, first + 1) + 1);
  const [low, high] = [Math.log(ticks[0]!), Math.log(ticks.at(-1)!)];
  return { ticks, at: (value) => from + ((Math.log(value) - low) / (high - low)) * (to - from) };
}

/** About five round values that enclose the data. */
export function niceTicks(values: readonly number[]): number[] {
  const low = finite(values).reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = finite(values).reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (low > high) return [0, 1];
  const rough = (high - low || Math.abs(high) || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((unit) => unit * power >= rough) ?? 10);
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}

/** A tick as it is written: without the last digits that arithmetic leaves. */
export const tickText = (tick: number): string => String(Number(tick.toPrecision(6)));

const finite = (values: readonly number[]): number[] => values.filter(Number.isFinite);
