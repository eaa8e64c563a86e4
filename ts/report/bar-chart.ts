import { linearScale, tickText } from './scale.js';
import { colour, picture, px, shorten, text, WIDTH } from './svg.js';

export interface BarChart {
  readonly title: string;
  readonly xLabel: string;
  readonly bars: readonly { readonly name: string; readonly value: number }[];
  readonly caption?: string;
}

const LEFT = 170;
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
    ...bars.flatMap(({ name, value }, i) => {
      const top = TOP + i * BAR;
      return [
        text(LEFT - 8, top + 17, shorten(name, 24), { anchor: 'end' }),
        `<rect x="${LEFT}" y="${top + 4}" width="${px(x.at(value) - LEFT)}" height="${BAR - 8}" fill="${colour(i)}"/>`,
        text(x.at(value) + 6, top + 17, tickText(Number(value.toPrecision(3)))),
      ];
    }),
  ];
  return picture(title, bottom + 58, parts, caption);
}
