import { type BenchReport, type ReportedTime, reportedTimes } from './report.js';

/** One time of two reports. */
export interface Change {
  readonly name: string;
  /** Medians, in milliseconds. */
  readonly before: number;
  readonly after: number;
  /** after / before: above 1 is slower. */
  readonly ratio: number;
  /** How far the ratio may be from 1 by chance. */
  readonly noise: number;
  readonly verdict: 'slower' | 'faster' | 'same' | 'not comparable';
}

export interface BenchComparison {
  readonly changes: readonly Change[];
  /** What differs besides flavr itself, in words. Where anything does, nothing is comparable. */
  readonly differences: readonly string[];
  /** Names of what only one of the two measured. */
  readonly onlyBefore: readonly string[];
  readonly onlyAfter: readonly string[];
}

/** Medians of few runs scatter more than their spread tells. */
const FEW_RUNS = 5;
const LEAST_NOISE = { few: 0.1, many: 0.03 };

/**
 * Compares two reports time by time. A change counts only beyond noise: more than both runs' spreads together, and more
 * than 3 % (10 % where one of them has fewer than five runs). Times that another machine, model or library may have
 * changed are shown, but not judged: what flavr did to them cannot be told.
 */
export function compareReports(before: BenchReport, after: BenchReport): BenchComparison {
  const differences = whatDiffers(before, after);
  const earlier = new Map(reportedTimes(before).map((time) => [time.key, time]));
  const later = new Map(reportedTimes(after).map((time) => [time.key, time]));
  const names = (times: ReadonlyMap<string, ReportedTime>, others: ReadonlyMap<string, ReportedTime>) =>
    [...times].filter(([key]) => !others.has(key)).map(([, { name }]) => name);
  return {
    changes: [...later].flatMap(([key, time]) => {
      const match = earlier.get(key);
      return match ? [compareTimes(match, time, differences.length === 0)] : [];
    }),
    differences,
    onlyBefore: names(earlier, later),
    onlyAfter: names(later, earlier),
  };
}

function compareTimes(before: ReportedTime, after: ReportedTime, comparable: boolean): Change {
  const ratio = after.timing.median / before.timing.median;
  const few = Math.min(before.timing.runs, after.timing.runs) < FEW_RUNS;
  const noise = Math.max(few ? LEAST_NOISE.few : LEAST_NOISE.many, before.timing.spread + after.timing.spread);
  const judged = ratio > 1 + noise ? 'slower' : ratio < 1 / (1 + noise) ? 'faster' : 'same';
  return {
    name: after.name,
    before: before.timing.median,
    after: after.timing.median,
    ratio,
    noise,
    verdict: comparable ? judged : 'not comparable',
  };
}

function whatDiffers(before: BenchReport, after: BenchReport): string[] {
  const facts = ({ environment, devices, model, backend }: BenchReport): Record<string, string> => ({
    processor: environment.processor,
    cores: String(environment.cores),
    Node: environment.node,
    model: `${model.name} ${model.hash.slice(0, 12)}`,
    backend,
    ...environment.libraries,
    // It draws plots, and nothing of it is timed.
    sharp: 'any',
    ...(backend !== 'cpu' && {
      ...(devices && { GPU: devices.gpus.map(({ name }) => name).join(', '), driver: devices.driver ?? 'unknown' }),
      ...devices?.libraries,
    }),
  });
  const [old, now] = [facts(before), facts(after)];
  const value = (side: Record<string, string>, name: string) => side[name] ?? 'none';
  return [...new Set([...Object.keys(old), ...Object.keys(now)])]
    .filter((name) => value(old, name) !== value(now, name))
    .map((name) => `${name}: ${value(old, name)}, now ${value(now, name)}`);
}
