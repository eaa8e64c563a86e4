import { escapeHtml } from './html.js';

export interface Series {
  readonly name: string;
  /** One for each place along x; a value that is not finite leaves a gap. */
  readonly values: readonly number[];
}

export interface Chart {
  readonly title: string;
  readonly yLabel: string;
  readonly xLabels: readonly string[];
  readonly series: readonly Series[];
}

const WIDTH = 720;
const HEIGHT = 340;
const PLOT = { left: 56, right: WIDTH - 150, top: 32, bottom: HEIGHT - 90 };
// Okabe and Ito's colours, which people with any colour vision tell apart.
const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#000000'];
const MOST_LABELS = 40;

/** Lines over named places along x, as SVG. */
export function lineChart({ title, yLabel, xLabels, series }: Chart): string {
  const ticks = niceTicks(series.flatMap(({ values }) => values.filter(Number.isFinite)));
  const [low, high] = [ticks[0]!, ticks.at(-1)!];
  const x = (index: number) =>
    xLabels.length === 1
      ? (PLOT.left + PLOT.right) / 2
      : PLOT.left + (index / (xLabels.length - 1)) * (PLOT.right - PLOT.left);
  const y = (value: number) => PLOT.bottom - ((value - low) / (high - low)) * (PLOT.bottom - PLOT.top);
  const parts = [
    `<text x="${PLOT.left}" y="18" font-weight="bold">${escapeHtml(title)}</text>`,
    ...ticks.map((tick) => {
      const at = y(tick).toFixed(1);
      const line = `<line x1="${PLOT.left}" x2="${PLOT.right}" y1="${at}" y2="${at}" stroke="#ddd"/>`;
      return `${line}<text x="${PLOT.left - 6}" y="${at}" dy="4" text-anchor="end">${Number(tick.toPrecision(6))}</text>`;
    }),
    `<text transform="translate(14 ${(PLOT.top + PLOT.bottom) / 2}) rotate(-90)" text-anchor="middle">${escapeHtml(yLabel)}</text>`,
    ...labels(xLabels, x),
    ...series.flatMap(({ name, values }, i) => curve(name, values, COLOURS[i % COLOURS.length]!, i, x, y)),
  ];
  return `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" width="${WIDTH}" role="img" aria-label="${escapeHtml(title)}" font-size="12">\n${parts.join('\n')}\n</svg>`;
}

function labels(texts: readonly string[], x: (index: number) => number): string[] {
  if (texts.length > MOST_LABELS) return [];
  return texts.map((text, i) => {
    const short = text.length > 16 ? `${text.slice(0, 15)}…` : text;
    const at = `translate(${x(i).toFixed(1)} ${PLOT.bottom + 14}) rotate(30)`;
    return `<text transform="${at}" font-size="11">${escapeHtml(short)}</text>`;
  });
}

function curve(
  name: string,
  values: readonly number[],
  colour: string,
  place: number,
  x: (index: number) => number,
  y: (value: number) => number,
): string[] {
  let pen = 'M';
  const path = values.flatMap((value, i) => {
    if (!Number.isFinite(value)) {
      pen = 'M';
      return [];
    }
    const point = `${pen}${x(i).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = 'L';
    return [point];
  });
  const dots = values.flatMap((value, i) => {
    if (!Number.isFinite(value) || values.length > MOST_LABELS) return [];
    return [`<circle cx="${x(i).toFixed(1)}" cy="${y(value).toFixed(1)}" r="3" fill="${colour}"/>`];
  });
  const row = PLOT.top + 8 + place * 18;
  const left = PLOT.right + 14;
  return [
    `<path d="${path.join('')}" fill="none" stroke="${colour}" stroke-width="1.8"/>`,
    ...dots,
    `<line x1="${left}" x2="${left + 18}" y1="${row}" y2="${row}" stroke="${colour}" stroke-width="3"/>`,
    `<text x="${left + 24}" y="${row}" dy="4">${escapeHtml(name.length > 18 ? `${name.slice(0, 17)}…` : name)}</text>`,
  ];
}

/** About five round values that enclose the data. */
export function niceTicks(values: readonly number[]): number[] {
  const low = values.reduce((least, value) => Math.min(least, value), Number.POSITIVE_INFINITY);
  const high = values.reduce((most, value) => Math.max(most, value), Number.NEGATIVE_INFINITY);
  if (low > high) return [0, 1];
  const rough = (high - low || Math.abs(high) || 1) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5].find((unit) => unit * power >= rough) ?? 10);
  const first = Math.floor(low / step);
  const last = Math.max(first + 1, Math.ceil(high / step));
  return Array.from({ length: last - first + 1 }, (_, i) => (first + i) * step);
}
