import { linearScale, logScale, tickText } from './scale.js';
import { colour, dot, type Plot, picture, px, rows, text, WIDTH } from './svg.js';

export interface ScatterPoint {
  readonly name: string;
  readonly x: number;
  readonly y: number;
  /** Points of one group have one colour. */
  readonly group: number;
}

export interface ScatterChart {
  readonly title: string;
  readonly xLabel: string;
  readonly yLabel: string;
  readonly points: readonly ScatterPoint[];
  readonly caption?: string;
}

const HEIGHT = 380;
const PLOT: Plot = { left: 64, right: WIDTH - 30, top: 36, bottom: HEIGHT - 64 };
const LINE = 14;
const CHARACTER = 6.5;
const DOT = 4;
/** From this ratio on an even axis would press the small values together. */
const WIDE = 20;

/** Named points, x on a logarithmic axis where the values are far apart, as SVG. */
export function scatterChart({ title, xLabel, yLabel, points, caption }: ScatterChart): string {
  const xs = points.map((point) => point.x);
  const wide = Math.min(...xs) > 0 && Math.max(...xs) / Math.min(...xs) >= WIDE;
  const x = wide ? logScale(xs, PLOT.left, PLOT.right) : linearScale(xs, PLOT.left, PLOT.right, true);
  const y = linearScale(
    points.map((point) => point.y),
    PLOT.bottom,
    PLOT.top,
  );
  const placed = points.map((point) => ({ ...point, left: x.at(point.x), top: y.at(point.y) }));
  const parts = [
    ...rows(PLOT, y, yLabel),
    ...x.ticks.flatMap((tick) => {
      const at = px(x.at(tick));
      return [
        `<line class="c-rule" x1="${at}" x2="${at}" y1="${PLOT.top}" y2="${PLOT.bottom}"/>`,
        text(x.at(tick), PLOT.bottom + 18, tickText(tick), { anchor: 'middle' }),
      ];
    }),
    text((PLOT.left + PLOT.right) / 2, PLOT.bottom + 38, `${xLabel}${wide ? ' (logarithmic)' : ''}`, {
      anchor: 'middle',
    }),
    ...nameTags(placed),
    ...placed.map(({ left, top, group }) => dot(left, top, colour(group))),
  ];
  return picture(title, HEIGHT, parts, caption);
}

interface Placed {
  readonly name: string;
  readonly left: number;
  readonly top: number;
  readonly group: number;
}

/** Names beside their points, on the side where there is room, none over another or a point; a line leads to one that gave way. */
function nameTags(points: readonly Placed[]): string[] {
  const taken = points.map(({ left, top }) => ({ from: left - DOT, to: left + DOT, y: top + 4 }));
  return (
    points
      // From the right, so that no line crosses a name.
      .toSorted((a, b) => Math.round(a.top) - Math.round(b.top) || b.left - a.left)
      .flatMap(({ name, left, top, group }) => {
        const width = name.length * CHARACTER;
        const onLeft = left + 8 + width > PLOT.right;
        const from = onLeft ? left - 8 - width : left + 8;
        let y = top + 4;
        const collides = () =>
          taken.some((other) => from < other.to && other.from < from + width && Math.abs(other.y - y) < LINE);
        while (collides()) y += LINE / 2;
        taken.push({ from, to: from + width, y });
        const at = onLeft ? left - 8 : left + 8;
        const leader = `<path d="M${px(left)} ${px(top)}L${px(at)} ${px(y - 4)}" stroke="${colour(group)}"/>`;
        return [...(y > top + 4 ? [leader] : []), text(at, y, name, onLeft ? { anchor: 'end' } : {})];
      })
  );
}
