import { linearScale } from './scale.js';
import { colour, dot, type Plot, picture, px, rows, shorten, text, WIDTH } from './svg.js';

export interface Series {
  readonly name: string;
  /** One for each place along x; a value that is not finite leaves a gap. */
  readonly values: readonly number[];
  /** How far each value scatters, drawn as whiskers: its lower and its upper end. */
  readonly ranges?: readonly (readonly [low: number, high: number])[];
}

export interface LineChart {
  readonly title: string;
  readonly xLabel?: string;
  readonly yLabel: string;
  readonly xLabels: readonly string[];
  /** Where the labels stand along x, ascending, in any unit. Default: at even distances. */
  readonly positions?: readonly number[];
  readonly series: readonly Series[];
  /** Whether the vertical axis begins at 0, as it must where heights are compared. Default false. */
  readonly fromZero?: boolean;
  /** False where nothing lies between two places, such as two precisions. Default true. */
  readonly joined?: boolean;
  readonly caption?: string;
}

const PLOT: Plot = { left: 64, right: WIDTH - 150, top: 36, bottom: 250 };
const MOST_LABELS = 40;
const CHARACTER = 6.5;

/** Lines over named places along x, as SVG. */
export function lineChart(chart: LineChart): string {
  const { title, yLabel, xLabel, xLabels, series, caption } = chart;
  const values = series.flatMap(({ values, ranges = [] }) => [...values, ...ranges.flat()]);
  const y = linearScale(values, PLOT.bottom, PLOT.top, chart.fromZero);
  const x = places(chart.positions ?? xLabels.map((_, i) => i), chart.joined === false);
  const { upright, parts: names } = labels(xLabels, x);
  const below = PLOT.bottom + (upright ? 40 : 84);
  const parts = [
    ...rows(PLOT, y, yLabel),
    ...names,
    ...(xLabel ? [text((PLOT.left + PLOT.right) / 2, below, xLabel, { anchor: 'middle' })] : []),
    ...series.flatMap((each, i) => [...curve(each, i, x, y.at, chart.joined ?? true), ...legend(each.name, i)]),
  ];
  return picture(title, below + (xLabel ? 24 : 6), parts, caption);
}

/** @param inset whether the outer places stand away from the axis's ends. */
function places(positions: readonly number[], inset: boolean): number[] {
  const margin = inset ? (PLOT.right - PLOT.left) / (2 * Math.max(1, positions.length)) : 0;
  const [left, right] = [PLOT.left + margin, PLOT.right - margin];
  const [low, high] = [positions[0]!, positions.at(-1)!];
  if (low === high || positions.length < 2) return positions.map(() => (left + right) / 2);
  return positions.map((position) => left + ((position - low) / (high - low)) * (right - left));
}

/** Upright where there is room for all of them, else aslant. */
function labels(texts: readonly string[], x: readonly number[]): { upright: boolean; parts: string[] } {
  if (texts.length > MOST_LABELS) return { upright: true, parts: [] };
  const room = Math.min(...x.slice(1).map((place, i) => place - x[i]!), PLOT.right - PLOT.left);
  const upright = texts.every((words) => words.length * CHARACTER < room);
  const parts = texts.map((words, i) =>
    upright
      ? text(x[i]!, PLOT.bottom + 18, words, { anchor: 'middle' })
      : text(x[i]!, PLOT.bottom + 14, shorten(words, 16), { size: 11, turn: 30 }),
  );
  return { upright, parts };
}

function curve(
  { values, ranges }: Series,
  index: number,
  x: readonly number[],
  y: (value: number) => number,
  joined: boolean,
): string[] {
  const stroke = colour(index);
  let pen = 'M';
  const path = values.flatMap((value, i) => {
    if (!Number.isFinite(value)) {
      pen = 'M';
      return [];
    }
    const point = `${pen}${px(x[i]!)} ${px(y(value))}`;
    pen = 'L';
    return [point];
  });
  const dots = values.flatMap((value, i) => {
    if (!Number.isFinite(value) || values.length > MOST_LABELS) return [];
    const range = ranges?.[i];
    return [dot(x[i]!, y(value), stroke, range && [y(range[0]), y(range[1])])];
  });
  return [
    ...(joined ? [`<path d="${path.join('')}" fill="none" stroke="${stroke}" stroke-width="1.8"/>`] : []),
    ...dots,
  ];
}

function legend(name: string, index: number): string[] {
  const y = PLOT.top + 8 + index * 18;
  const left = PLOT.right + 14;
  return [
    `<line x1="${left}" x2="${left + 18}" y1="${y}" y2="${y}" stroke="${colour(index)}" stroke-width="3"/>`,
    text(left + 24, y + 4, shorten(name, 18)),
  ];
}
