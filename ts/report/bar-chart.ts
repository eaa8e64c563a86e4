import { linearScale, tickText } from './scale.js';
import { colour, picture, px, shorten, text, WIDTH } from './svg.js';

export interface Bar {
  readonly name: string;
  readonly value: number;
  /** Bars of one group have one colour. Default 0. */
  readonly group?: number;
}

export interface BarChart {
  readonly title: string;
  readonly xLabel: string;
  readonly bars: readonly Bar[];
  readonly caption?: string;
}

const LEFT = 196;
const MOST_CHARACTERS = 28;
const RIGHT = WIDTH - 80;
const TOP = 40;
const BAR = 26;

/** Horizontal bars from 0, each with its value, as SVG. */
export function barChart({ title, xLabel, bars, caption }: BarChart): string {
  const bottom = TOP + bars.length * BAR;
  const x = linearScale(
    bars.map(({ value }) => value),
    LEFT,
    RIGHT,
    true,
  );
  const parts = [
    ...x.ticks.flatMap((tick) => {
      const at = px(x.at(tick));
      return [
        `<line class="c-rule" x1="${at}" x2="${at}" y1="${TOP}" y2="${bottom}"/>`,
        text(x.at(tick), bottom + 16, tickText(tick), { anchor: 'middle' }),
      ];
    }),
    text((LEFT + RIGHT) / 2, bottom + 36, xLabel, { anchor: 'middle' }),
    ...bars.flatMap(({ name, value, group = 0 }, i) => {
      const top = TOP + i * BAR;
      const width = px(x.at(value) - LEFT);
      return [
        text(LEFT - 8, top + 17, shorten(name, MOST_CHARACTERS), { anchor: 'end' }),
        `<rect x="${LEFT}" y="${top + 4}" width="${width}" height="${BAR - 8}" fill="${colour(group)}"/>`,
        text(x.at(value) + 6, top + 17, tickText(Number(value.toPrecision(3)))),
      ];
    }),
  ];
  return picture(title, bottom + 58, parts, caption);
}
