/** Repeated times of one thing, in milliseconds. */
export interface Timing {
  readonly runs: number;
  readonly median: number;
  readonly p99: number;
  readonly min: number;
  readonly max: number;
  /** Half the distance between the quartiles, as a share of the median: how much single runs scatter. */
  readonly spread: number;
}

/** Summarizes times. Pure. */
export function summarizeTimes(times: readonly number[]): Timing {
  if (times.length === 0) throw new RangeError('no times to summarize');
  const sorted = [...times].sort((a, b) => a - b);
  const median = quantile(sorted, 0.5);
  return {
    runs: times.length,
    median,
    p99: quantile(sorted, 0.99),
    min: sorted[0]!,
    max: sorted.at(-1)!,
    spread: (quantile(sorted, 0.75) - quantile(sorted, 0.25)) / 2 / median,
  };
}

/** Linear between the two nearest ranks. */
function quantile(sorted: readonly number[], share: number): number {
  const at = share * (sorted.length - 1);
  const low = Math.floor(at);
  const high = Math.min(low + 1, sorted.length - 1);
  return sorted[low]! + (at - low) * (sorted[high]! - sorted[low]!);
}

export interface RepeatOptions {
  /** Runs that are not counted: caches, allocations and kernels chosen at first use. */
  readonly warmup: number;
  /** At least this many runs, and more until `seconds` have passed. */
  readonly runs: number;
  readonly seconds: number;
  readonly signal?: AbortSignal | undefined;
}

/** Times of `work`, which must resolve only when its work is really done. */
export async function repeat(work: () => Promise<unknown>, options: RepeatOptions): Promise<number[]> {
  const { warmup, runs, seconds, signal } = options;
  for (let i = 0; i < warmup; i++) {
    signal?.throwIfAborted();
    await work();
  }
  const times: number[] = [];
  const until = performance.now() + seconds * 1000;
  while (times.length < runs || performance.now() < until) {
    signal?.throwIfAborted();
    const started = performance.now();
    await work();
    times.push(performance.now() - started);
  }
  return times;
}
