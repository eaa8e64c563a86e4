import type { SessionOptions } from '../backends/backend.js';
import type { Lowering } from '../model/graph-spec.js';

/** One point to measure: everything that decides how long a window takes. */
export interface Point {
  readonly width: number;
  readonly height: number;
  readonly k: number;
  readonly batch: number;
  readonly inFlight: number;
  readonly precision: SessionOptions['precision'];
  readonly lowering: Lowering | undefined;
  readonly threads: number | undefined;
}

/** What can be varied, one at a time. */
export const AXES = ['k', 'size', 'batch', 'inFlight', 'precision', 'lowering', 'threads'] as const;
export type Axis = (typeof AXES)[number];

/** An axis's values where none are given: enough to see its shape in a minute on a CPU. Those of k are the model's. */
export const DEFAULT_SWEEPS: Readonly<Record<Axis, readonly string[]>> = {
  k: [],
  size: ['128x128', '256x256', '480x270'],
  batch: ['1', '2', '4'],
  inFlight: ['1', '2', '3'],
  precision: ['fp32', 'fp16'],
  lowering: ['2d', '3d'],
  threads: ['1', '2', '4'],
};

/** The point at which one axis has one of its values. */
export function pointAt(base: Point, axis: Axis, value: string): Point {
  switch (axis) {
    case 'size': {
      const [width, height] = value.split('x').map(Number);
      return { ...base, width: width!, height: height! };
    }
    case 'precision':
      return { ...base, precision: value as Point['precision'] };
    case 'lowering':
      return { ...base, lowering: value as Lowering };
    default:
      return { ...base, [axis]: Number(value) };
  }
}
