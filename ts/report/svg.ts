import { escapeHtml } from './html.js';
import { type Scale, tickText } from './scale.js';

export const WIDTH = 720;
// Okabe and Ito's colours, which people with any colour vision tell apart; grey in place of their black, which no dark
// page would show.
export const COLOURS = ['#0072b2', '#d55e00', '#009e73', '#cc79a7', '#e69f00', '#56b4e9', '#888888'];
export const colour = (index: number): string => COLOURS[index % COLOURS.length]!;

// A file of its own follows the reader's light or dark setting; what renders it without one gets the light form.
const STYLE =
  '.c-card{fill:#fff}.c-ink{fill:#222}.c-soft{fill:#666}.c-rule{stroke:#ddd}' +
  '@media (prefers-color-scheme:dark){.c-card{fill:#161b22}.c-ink{fill:#e6e6e6}.c-soft{fill:#a8a8a8}.c-rule{stroke:#3a4048}}';
const CAPTION_CHARACTERS = 118;
const CAPTION_LINE = 14;

export interface TextOptions {
  readonly anchor?: 'start' | 'middle' | 'end';
  readonly size?: number;
  readonly soft?: boolean;
  readonly bold?: boolean;
  /** Degrees, clockwise around the place. */
  readonly turn?: number;
}

/** Words at a place. */
export function text(x: number, y: number, words: string, options: TextOptions = {}): string {
  const { anchor, size, soft, bold, turn } = options;
  const attributes = [
    turn === undefined ? `x="${px(x)}" y="${px(y)}"` : `transform="translate(${px(x)} ${px(y)}) rotate(${turn})"`,
    `class="${soft ? 'c-soft' : 'c-ink'}"`,
    ...(anchor ? [`text-anchor="${anchor}"`] : []),
    ...(size ? [`font-size="${size}"`] : []),
    ...(bold ? ['font-weight="bold"'] : []),
  ];
  return `<text ${attributes.join(' ')}>${escapeHtml(words)}</text>`;
}

/** A pixel's place as it is written. */
export const px = (value: number): string => String(Number(value.toFixed(1)));

/** Words cut to a length. */
export const shorten = (words: string, length: number): string =>
  words.length > length ? `${words.slice(0, length - 1)}…` : words;

/** A whole picture: its title above, its parts, and a caption below, on a card of its own. */
export function picture(title: string, height: number, parts: readonly string[], caption = ''): string {
  const lines = wrap(caption, CAPTION_CHARACTERS);
  const full = height + lines.length * CAPTION_LINE;
  return [
    `<svg viewBox="0 0 ${WIDTH} ${full}" width="${WIDTH}" height="${full}" role="img" aria-label="${escapeHtml(title)}" font-size="12" font-family="system-ui, sans-serif">`,
    `<style>${STYLE}</style>`,
    `<rect class="c-card" width="${WIDTH}" height="${full}"/>`,
    text(16, 20, title, { bold: true }),
    ...parts,
    ...lines.map((line, i) => text(16, height + i * CAPTION_LINE, line, { size: 11, soft: true })),
    '</svg>',
  ].join('\n');
}

/** A picture as a file of its own; in a page it needs no namespace. */
export const svgFile = (svg: string): string => `${svg.replace('<svg ', '<svg xmlns="http://www.w3.org/2000/svg" ')}\n`;

/** The part of a picture that data is drawn in. */
export interface Plot {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

/** Lines across the plot at the ticks of the vertical axis, with their values and the axis's name. */
export function rows({ left, right, top, bottom }: Plot, scale: Scale, label: string): string[] {
  return [
    ...scale.ticks.flatMap((tick) => {
      const y = px(scale.at(tick));
      return [
        `<line class="c-rule" x1="${left}" x2="${right}" y1="${y}" y2="${y}"/>`,
        text(left - 6, scale.at(tick) + 4, tickText(tick), { anchor: 'end' }),
      ];
    }),
    text(16, (top + bottom) / 2, label, { anchor: 'middle', turn: -90 }),
  ];
}

/** A point and, around it, how far its figure scatters. */
export function dot(x: number, y: number, fill: string, range?: readonly [number, number]): string {
  const point = `<circle cx="${px(x)}" cy="${px(y)}" r="3.5" fill="${fill}"/>`;
  if (!range) return point;
  const [low, high] = range.map(px);
  const [left, right] = [px(x - 4), px(x + 4)];
  const whisker = `M${px(x)} ${low}V${high}M${left} ${low}H${right}M${left} ${high}H${right}`;
  return `<path d="${whisker}" stroke="${fill}" fill="none"/>${point}`;
}

function wrap(words: string, length: number): string[] {
  const lines: string[] = [];
  for (const word of words.split(' ').filter(Boolean)) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + word.length < length) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}
