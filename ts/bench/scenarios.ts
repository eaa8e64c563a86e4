import type { SessionOptions } from '../backends/backend.js';
import { FlavrError } from '../errors.js';
import { LOWERINGS, type Lowering } from '../model/graph-spec.js';

/** One point to measure: everything that decides how long a window takes. */
export interface Point {
  readonly width: number;
  readonly height: number;
  readonly k: number;
  readonly batch: number;
  readonly inFlight: number;
  readonly precision: SessionOptions['precision'];
  readonly lowering: Lowering | undefined;
  /** Undefined where the backend has none to choose. */
  readonly threads: number | undefined;
}

/** What can be varied, one at a time. */
export const AXES = ['k', 'size', 'batch', 'inFlight', 'precision', 'lowering', 'threads'] as const;
export type Axis = (typeof AXES)[number];

/** Points along one axis, which differ in nothing else. */
export interface Sweep {
  readonly axis: Axis;
  readonly points: readonly { readonly value: string; readonly point: Point }[];
}

/** What a sweep starts from. */
export interface SweepBase {
  readonly point: Point;
  /** Every k that one pass can have, ascending. */
  readonly factors: readonly number[];
  readonly precisions: readonly Point['precision'][];
  readonly cores: number;
}

/** The values that each axis has on its own: enough to see its shape in a minute on a CPU. */
function usualValues(axis: Axis, { point, factors, precisions, cores }: SweepBase): readonly string[] {
  switch (axis) {
    case 'k':
      return factors.map(String);
    case 'size':
      return ['128x128', '256x256', '480x270'];
    case 'batch':
      return ['1', '2', '4'];
    case 'inFlight':
      return ['1', '2', '3'];
    case 'precision':
      return precisions;
    case 'lowering':
      // The third is made for the CPU, which alone has threads to choose.
      return point.threads === undefined ? ['2d', '3d'] : LOWERINGS;
    case 'threads': {
      const powers = [1, 2, 4, 8, 16, 32, 64, 128, 256].filter((threads) => threads < cores);
      return [...powers, cores].map(String);
    }
  }
}

/**
 * Reads the words of `--vary`: `AXIS`, or `AXIS=A,B`.
 * @throws FlavrError `BAD_ARGUMENT` for an axis that there is not, or a value that it cannot have.
 */
export function parseSweeps(words: readonly string[], base: SweepBase): Sweep[] {
  return words.map((word) => {
    const [name, list] = word.split('=', 2) as [string, string | undefined];
    const axis = AXES.find((known) => known === name);
    if (!axis) throw new FlavrError('BAD_ARGUMENT', `--vary must be one of ${AXES.join(', ')}; got "${name}".`);
    const values = list === undefined ? usualValues(axis, base) : list.split(',').map((value) => value.trim());
    return { axis, points: values.map((value) => ({ value, point: pointAt(axis, value, base) })) };
  });
}

/** A point as it is really run: only fp32 has the lowering that is made for the CPU. */
export const asRun = (point: Point): Point =>
  point.precision !== 'fp32' && point.lowering === 'winograd' ? { ...point, lowering: '2d' } : point;

/** The base point with another value on one axis. */
function pointAt(axis: Axis, value: string, { point, factors, precisions }: SweepBase): Point {
  const refuse = (expected: string): never => {
    throw new FlavrError('BAD_ARGUMENT', `--vary ${axis} takes ${expected}; got "${value}".`);
  };
  const whole = (least: number, most: number): number => {
    const number = /^\d{1,6}$/.test(value) ? Number(value) : Number.NaN;
    return number >= least && number <= most ? number : refuse(`whole numbers from ${least} to ${most}`);
  };
  const one = <T extends string>(choices: readonly T[]): T =>
    choices.find((choice) => choice === value) ?? refuse(choices.join(', '));
  switch (axis) {
    case 'k':
      return { ...point, k: Number(one(factors.map(String))) };
    case 'size': {
      const match = /^(\d{1,5})x(\d{1,5})$/.exec(value);
      return match ? { ...point, width: Number(match[1]), height: Number(match[2]) } : refuse('sizes such as 256x256');
    }
    case 'batch':
    case 'inFlight':
      return { ...point, [axis]: whole(1, 64) };
    case 'precision':
      return asRun({ ...point, precision: one(precisions) });
    case 'lowering':
      return { ...point, lowering: one(LOWERINGS) };
    case 'threads':
      return { ...point, threads: whole(1, 1024) };
  }
}
