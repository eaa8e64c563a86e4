import { checkArgument } from '../arguments.js';
import { figure, heading, htmlPage, htmlTable, paragraph } from '../report/html.js';
import { lineChart } from '../report/line-chart.js';
import type { Table } from '../report/table.js';
import { groupBy } from './group-by.js';
import { REPORT, type Report, type ReportedMethod, type SetReport } from './report.js';
import {
  comparisonTable,
  decibels,
  describeSet,
  failures,
  instantTable,
  methodTable,
  publishedTable,
  ratio,
} from './report-text.js';
import type { WorstSample } from './worst.js';

const SNU = 'snu-film-';

/**
 * A report as one page that needs nothing from elsewhere.
 * @param worst by set, as `worstSamples` gives them.
 */
export function reportHtml(report: Report, worst: readonly (readonly WorstSample[])[] = []): string {
  checkArgument('report', report, REPORT);
  const body = [
    heading(1, 'How good are the new frames?'),
    paragraph(`Measured by flavr ${report.flavr}.`),
    ...difficulty(report.sets),
    ...report.sets.flatMap((set, i) => setSection(set, worst[i] ?? [])),
  ];
  return htmlPage('flavr evaluate', body);
}

function setSection(set: SetReport, worst: readonly WorstSample[]): string[] {
  const tables = [methodTable(set), comparisonTable(set), instantTable(set), publishedTable(set)];
  return [
    heading(2, set.measurement.title),
    ...[`Data: ${set.data}.`, ...describeSet(set)].map(paragraph),
    ...tables.filter((table): table is Table => table !== undefined).map(htmlTable),
    htmlTable([
      ['method', 'what decides its figures'],
      ...set.methods.map(({ method, identity }) => [method, identity]),
    ]),
    ...failureTable(set.methods),
    ...(set.factor > 2 ? [byInstant(set)] : []),
    bySequence(set),
    ...worst.flatMap((sample) => [
      heading(3, `${sample.id}, instant ${sample.instant}`),
      paragraph(`${sample.method}: ${decibels(sample.psnr)} dB, SSIM ${ratio(sample.ssim)}`),
      `<div>${sample.pictures.map(({ caption, uri }) => figure(uri, caption)).join('\n')}</div>`,
    ]),
  ];
}

function failureTable(methods: readonly ReportedMethod[]): string[] {
  const rows = failures(methods).map(({ who, id, message }) => [id, who, message]);
  return rows.length > 0 ? [htmlTable([['sample not measured', 'with', 'why'], ...rows])] : [];
}

const byInstant = ({ factor, methods, measurement }: SetReport): string =>
  lineChart({
    title: `PSNR by instant of the gap, ${measurement.title}`,
    yLabel: `PSNR (${measurement.psnr}), dB`,
    xLabels: Array.from({ length: factor - 1 }, (_, j) => `${j + 1}/${factor}`),
    series: methods.map(({ method, psnrByIndex }) => ({ name: method, values: psnrByIndex })),
  });

/** Mean PSNR of each sequence, hardest first by the first method; of a single sequence, each sample in order of time. */
function bySequence({ methods, measurement }: SetReport): string {
  const names = [...new Set(methods.flatMap(({ samples }) => samples.map(({ sequence }) => sequence)))];
  const single = names.length === 1;
  const means = methods.map(({ samples }) => {
    const groups = groupBy(samples, ({ id, sequence }) => (single ? id : sequence));
    const figures = [...groups].map(
      ([key, list]) => [key, list.flatMap(({ psnr }) => psnr.filter(Number.isFinite))] as const,
    );
    return new Map(figures.map(([key, list]) => [key, list.reduce((sum, x) => sum + x, 0) / list.length]));
  });
  const of = (method: number, key: string) => means[method]!.get(key) ?? Number.NaN;
  const keys = single
    ? [...new Set(methods.flatMap(({ samples }) => samples.map(({ id }) => id)))]
    : names.sort((a, b) => (of(0, a) || 0) - (of(0, b) || 0));
  return lineChart({
    title: `PSNR by ${single ? 'sample' : 'sequence, hardest first'}, ${measurement.title}`,
    yLabel: `PSNR (${measurement.psnr}), dB`,
    xLabels: single ? keys.map((key) => key.slice(names[0]!.length + 1)) : keys,
    ...(single && { xLabel: 'frame before the gap' }),
    series: methods.map(({ method }, m) => ({ name: method, values: keys.map((key) => of(m, key)) })),
  });
}

/** SNU-FILM is one set at four distances: how each method falls with them. */
function difficulty(sets: readonly SetReport[]): string[] {
  const levels = sets.filter(({ measurement }) => measurement.name.startsWith(SNU));
  if (levels.length < 2) return [];
  return [
    lineChart({
      title: 'SNU-FILM: PSNR by difficulty',
      yLabel: `PSNR (${levels[0]!.measurement.psnr}), dB`,
      xLabels: levels.map(({ measurement }) => measurement.name.split('-').at(-1)!),
      series: levels[0]!.methods.map(({ method }, m) => ({
        name: method,
        values: levels.map(({ methods }) => methods[m]!.psnr),
      })),
    }),
  ];
}
