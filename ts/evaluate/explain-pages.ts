import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { figure, heading, htmlPage, htmlTable, paragraph } from '../report/html.js';
import { lineChart } from '../report/line-chart.js';
import type { Explanation, FeatureMap, FeatureMaps, GateExplanation } from './explain.js';
import { heatPicture } from './heat.js';
import type { BytePicture } from './prepare.js';
import type { VideoWindow } from './window-at.js';
import { encodePng } from './write-image.js';

const WIDEST = 960;
// Share of the frame that shines through the heat.
const FRAME_SHARE = 0.35;

/** Whether a file is one of those that `writeExplanation` writes. */
export const isExplanationFile = (name: string): boolean =>
  /^(?:index\.html|frame\d+\.png|(?:layer\d|decoder\d)-(?:most|least)-\d+\.png)$/.test(name);

/**
 * Writes an explanation into a folder: `frame0.png` …, for each stage `STAGE-most-T.png` and `STAGE-least-T.png` (the
 * channel of the largest and of the smallest factor at step T, over the frame), and `index.html` that shows them.
 * @param video what the page calls the video.
 * @returns the names of the files.
 */
export async function writeExplanation(
  { model, gates, maps }: Explanation,
  { frames, times }: VideoWindow,
  video: string,
  folder: string,
): Promise<string[]> {
  const files: string[] = [];
  const save = async (name: string, picture: BytePicture): Promise<string> => {
    await writeFile(join(folder, name), await encodePng(picture, WIDEST));
    files.push(name);
    return name;
  };
  const saveMaps = async (stage: string, which: string, { steps }: FeatureMaps): Promise<string> => {
    const peak = brightest(steps);
    const shown: string[] = [];
    for (const [t, map] of steps.entries()) {
      const frame = frames[Math.floor(((t + 0.5) * frames.length) / steps.length)]!;
      const name = await save(`${stage}-${which}-${t}.png`, overlay(frame, map, peak));
      shown.push(figure(name, `step ${t}`));
    }
    return `<div>${shown.join('\n')}</div>`;
  };

  const shownFrames: string[] = [];
  for (const [i, frame] of frames.entries()) {
    shownFrames.push(figure(await save(`frame${i}.png`, frame), `frame ${i}, ${times[i]!.toFixed(3)} s`));
  }
  const stages: string[] = [];
  for (const [i, gate] of gates.entries()) {
    const [most, least] = [maps[i]!.most, maps[i]!.least];
    stages.push(
      heading(2, gate.stage),
      weightChart(gate),
      paragraph(`Channel ${gate.most}, let through most: factor ${gate.weights[gate.most]!.toFixed(3)}`),
      await saveMaps(gate.stage, 'most', most),
      paragraph(`Channel ${gate.least}, let through least: factor ${gate.weights[gate.least]!.toFixed(3)}`),
      await saveMaps(gate.stage, 'least', least),
    );
  }
  const page = htmlPage('flavr explain', [
    heading(1, 'What the gates look at'),
    paragraph(
      `${model}, one window of ${video}. Heat is the magnitude behind the gate, white at what one in two hundred of the channel's values exceeds.`,
    ),
    `<div>${shownFrames.join('\n')}</div>`,
    htmlTable([['stage', 'channels', 'smallest factor', 'mean', 'largest factor'], ...gates.map(gateRow)]),
    ...stages,
  ]);
  await writeFile(join(folder, 'index.html'), page);
  return [...files, 'index.html'];
}

// A few values far above the others would leave a picture dark.
const WHITE_FROM = 0.995;
const MOST_VALUES = 100_000;

/** The magnitude that is shown white: of a large map, by some of its values. */
function brightest(steps: readonly FeatureMap[]): number {
  const every = Math.ceil(steps.reduce((sum, { values }) => sum + values.length, 0) / MOST_VALUES);
  const magnitudes = steps.flatMap(({ values }) =>
    Array.from(
      values.filter((_, i) => i % every === 0),
      Math.abs,
    ),
  );
  magnitudes.sort((a, b) => a - b);
  return magnitudes[Math.floor(WHITE_FROM * (magnitudes.length - 1))] || magnitudes.at(-1)!;
}

/** A gate's numbers as a table's row. */
export function gateRow({ stage, weights, most, least }: GateExplanation): string[] {
  const mean = weights.reduce((sum, weight) => sum + weight, 0) / weights.length;
  const text = (value: number) => value.toFixed(3);
  return [stage, String(weights.length), text(weights[least]!), text(mean), text(weights[most]!)];
}

const weightChart = ({ stage, weights }: GateExplanation): string =>
  lineChart({
    title: `Factors of the gate in ${stage}, sorted`,
    yLabel: 'factor',
    xLabels: weights.map(() => ''),
    series: [{ name: 'factor', values: weights.toSorted((a, b) => b - a) }],
  });

/** The magnitudes of a map as heat over the frame in grey; a value covers the square of pixels that it was made of. */
export function overlay({ data, width, height }: BytePicture, map: FeatureMap, peak: number): BytePicture {
  const values = new Float32Array(width * height);
  for (let y = 0, i = 0; y < height; y++) {
    const row = Math.floor(y / map.scale) * map.width;
    for (let x = 0; x < width; x++, i++) {
      values[i] = peak > 0 ? Math.abs(map.values[row + Math.floor(x / map.scale)]!) / peak : 0;
    }
  }
  const heat = heatPicture(values, width, height).data;
  for (let i = 0; i < heat.length; i++) {
    const pixel = i - (i % 3);
    const grey = (data[pixel]! + data[pixel + 1]! + data[pixel + 2]!) / 3;
    heat[i] = Math.round(FRAME_SHARE * grey + (1 - FRAME_SHARE) * heat[i]!);
  }
  return { data: heat, width, height };
}
