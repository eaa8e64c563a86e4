import { checkArgument } from '../arguments.js';
import { columns, type Table } from '../report/table.js';
import type { Comparison, Difference } from './compare.js';
import { groupBy } from './group-by.js';
import type { PsnrVariant } from './psnr.js';
import { REPORT, type Report, type ReportedMethod, type SetReport } from './report.js';
import type { SsimVariant } from './ssim.js';

const PSNR: Readonly<Record<PsnrVariant, string>> = {
  flavr: 'PSNR as FLAVR takes it (unrounded, at most 80 dB)',
  rounded: 'PSNR of 8-bit values',
  rounded80: 'PSNR as CAIN takes it (of 8-bit values, at most 80 dB)',
  y: 'PSNR of 8-bit luma (BT.601)',
};
const SSIM: Readonly<Record<SsimVariant, string>> = {
  matlab3d: 'SSIM as FLAVR takes it (ssim_matlab, 3-D)',
  'matlab3d-rounded': 'SSIM as CAIN takes it (ssim_matlab, 3-D, of 8-bit values)',
  gaussian2d: 'SSIM with a 2-D Gaussian',
  'gaussian2d-luma': 'SSIM of 8-bit luma (BT.601) with a 2-D Gaussian',
  uniform7: "SSIM as scikit-image's default (8-bit, 7x7)",
  'uniform7-luma': 'SSIM as XVFI takes it (luma, 7x7)',
};

/** A figure, or what stands for one that there is not. */
export const decibels = (value: number): string => (Number.isFinite(value) ? value.toFixed(2) : 'none');
export const ratio = (value: number): string => (Number.isFinite(value) ? value.toFixed(4) : 'none');

/** What is measured and how, as sentences. */
export function describeSet(set: SetReport): string[] {
  const { measurement, factor, inputs, samples, publishedCount, repeatedSamples, warnings, methods } = set;
  const count = publishedCount === undefined ? '' : ` (published figures: ${publishedCount})`;
  const lines = [
    `k = ${factor}, windows of ${inputs} frames, ${counted(samples, 'sample')}${count}; ${preparation(set)}.`,
    `${PSNR[measurement.psnr]}; ${SSIM[measurement.ssim]}; mean over a sample's frames, then over samples.`,
    `Protocol: ${measurement.source}.`,
  ];
  if (repeatedSamples > 0) {
    lines.push(
      `In ${repeatedSamples} of the ${counted(samples, 'sample')} the clip has no frame for some place in the window; the nearest one is repeated there.`,
    );
  } else if (measurement.twoFrame) lines.push('All outer frames of the windows come from the clips.');
  if (methods.some(({ exact }) => exact > 0)) {
    lines.push('Exact: frames equal to the truth, whose PSNR is infinite; they are left out of its mean.');
  }
  return [...lines, ...warnings.map((warning) => `Warning: ${warning}`)];
}

const counted = (count: number, thing: string): string => `${count} ${thing}${count === 1 ? '' : 's'}`;

function preparation({ measurement: { preparation: how } }: SetReport): string {
  if (how.kind === 'centre-crop') return `centre crop of ${how.width}x${how.height}`;
  return how.kind === 'halve' ? 'frames halved by area' : 'full frames';
}

export function methodTable({ measurement, methods }: SetReport): Table {
  const error = measurement.interpolationError === true;
  const exact = methods.some((score) => score.exact > 0);
  return [
    ['method', 'PSNR/dB', 'SSIM', ...(error ? ['IE'] : []), 'output', 'samples', 'failed', ...(exact ? ['exact'] : [])],
    ...methods.map((score) => [
      score.method,
      decibels(score.psnr),
      ratio(score.ssim),
      ...(error ? [decibels(score.interpolationError ?? Number.NaN)] : []),
      score.output,
      String(score.samples.length),
      String(score.failed.length),
      ...(exact ? [String(score.exact)] : []),
    ]),
  ];
}

/** PSNR by instant of the gap; undefined where there is only one. */
export function instantTable({ factor, methods }: SetReport): Table | undefined {
  if (factor === 2) return undefined;
  const instants = Array.from({ length: factor - 1 }, (_, j) => `${j + 1}/${factor}`);
  return [
    ['PSNR/dB at', ...instants],
    ...methods.map(({ method, psnrByIndex }) => [method, ...psnrByIndex.map(decibels)]),
  ];
}

export function comparisonTable({ comparisons }: SetReport): Table | undefined {
  if (comparisons.length === 0) return undefined;
  return [
    ['paired difference', 'samples', 'sequences', 'PSNR/dB', '95 % of it', 'SSIM', '95 % of it'],
    ...comparisons.map(({ method, against, samples, sequences, psnr, ssim }: Comparison) => [
      `${method} - ${against}`,
      String(samples),
      String(sequences),
      signed(psnr.mean, 3),
      interval(psnr, 3, sequences),
      signed(ssim.mean, 5),
      interval(ssim, 5, sequences),
    ]),
  ];
}

const signed = (value: number, digits: number): string =>
  Number.isFinite(value) ? `${value < 0 ? '' : '+'}${value.toFixed(digits)}` : 'none';
function interval({ low, high }: Difference, digits: number, sequences: number): string {
  if (Number.isFinite(low)) return `${signed(low, digits)} to ${signed(high, digits)}`;
  return sequences > 1 ? 'too few sequences' : 'too few samples';
}

export function publishedTable({ measurement, published }: SetReport): Table | undefined {
  if (published.length === 0) return undefined;
  const error = measurement.interpolationError === true;
  return [
    ['published elsewhere', 'PSNR/dB', 'SSIM', ...(error ? ['IE'] : []), 'source'],
    ...published.map(({ method, psnr, ssim, interpolationError, source }) => [
      method,
      psnr?.toFixed(2) ?? '',
      ssim === undefined ? '' : String(ssim),
      ...(error ? [interpolationError?.toFixed(2) ?? ''] : []),
      source,
    ]),
  ];
}

/** A report as lines for a terminal. */
export function reportLines(report: Report): string[] {
  checkArgument('report', report, REPORT);
  return report.sets.flatMap((set, i) => [
    ...(i > 0 ? [''] : []),
    set.measurement.title,
    ...describeSet(set).map((line) => `  ${line}`),
    ...[methodTable(set), instantTable(set), comparisonTable(set), publishedTable(set)].flatMap((table) =>
      table ? ['', ...columns(table).map((line) => `  ${line}`)] : [],
    ),
    ...failureLines(set.methods),
  ]);
}

// More than a few failures have one cause.
const MOST_FAILURES = 5;

function failureLines(methods: readonly ReportedMethod[]): string[] {
  return [...groupBy(failures(methods), ({ who }) => who)].flatMap(([who, failed]) => {
    const shown = failed.slice(0, MOST_FAILURES).map(({ id, message }) => `  ${id}: ${message}`);
    const more = failed.length > MOST_FAILURES ? [`  and ${failed.length - MOST_FAILURES} more`] : [];
    return ['', `Not measured with ${who}:`, ...shown, ...more];
  });
}

/** What could not be measured, and with which methods: a sample that cannot be read fails all of them alike. */
export function failures(methods: readonly ReportedMethod[]): { who: string; id: string; message: string }[] {
  const found = new Map<string, { id: string; message: string; names: string[] }>();
  for (const { method, failed } of methods) {
    for (const { id, message } of failed) {
      const key = `${id}\n${message}`;
      const entry = found.get(key) ?? { id, message, names: [] };
      found.set(key, { ...entry, names: [...entry.names, method] });
    }
  }
  return [...found.values()].map(({ id, message, names }) => {
    const all = names.length > 1 && names.length === methods.length;
    return { who: all ? 'any method' : names.join(', '), id, message };
  });
}

/** Every measured frame as comma-separated values, with the variant of each figure in its column's name. */
export function reportCsv(report: Report): string {
  checkArgument('report', report, REPORT);
  const head = [
    'protocol',
    'k',
    'method',
    'output',
    'sequence',
    'sample',
    'repeated inputs',
    'instant',
    'PSNR variant',
    'PSNR',
    'SSIM variant',
    'SSIM',
    'interpolation error',
  ];
  const rows = report.sets.flatMap(({ measurement, factor, methods }) =>
    methods.flatMap(({ method, output, samples }) =>
      samples.flatMap(({ id, sequence, repeated, psnr, ssim, interpolationError }) =>
        psnr.map((value, j) => [
          measurement.name,
          factor,
          method,
          output,
          sequence,
          id,
          repeated,
          `${j + 1}/${factor}`,
          measurement.psnr,
          value,
          measurement.ssim,
          ssim[j]!,
          interpolationError?.[j] ?? '',
        ]),
      ),
    ),
  );
  return [head, ...rows].map((row) => `${row.map(csvCell).join(',')}\n`).join('');
}

function csvCell(value: string | number): string {
  const text = String(value);
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
