import { heading, htmlPage, htmlTable, paragraph } from '../report/html.js';
import type { Table } from '../report/table.js';
import type { BenchComparison } from './compare.js';
import { benchPlots } from './plots.js';
import type { BenchReport } from './report.js';
import {
  changeTable,
  comparisonText,
  engineProblems,
  engineTable,
  machineText,
  peakNote,
  pointText,
  qualityTable,
  qualityText,
  startUpTable,
  sweepProblems,
  sweepTable,
  videoTable,
  videoText,
} from './tables.js';

/** A part of a report as it is shown, on a terminal and on a page. */
export interface Section {
  readonly title: string;
  readonly table?: Table | undefined;
  readonly notes: readonly string[];
}

/** Everything that a report holds, in the order in which it is shown. */
export function sections(report: BenchReport, comparison?: BenchComparison): Section[] {
  const { sweeps, startUp, engines, video, quality, base } = report;
  return [
    ...sweeps.map((sweep) => ({
      title: `By ${sweep.axis}: ${pointText(base, sweep.axis)}`,
      table: sweepTable(sweep),
      notes: sweepProblems(sweep),
    })),
    ...(startUp ? [{ title: 'Start-up', table: startUpTable(startUp), notes: [] }] : []),
    ...(engines ? [{ title: 'Engine build', table: engineTable(engines), notes: engineProblems(engines) }] : []),
    ...(video ? [{ title: 'Video', table: videoTable(video), notes: videoText(video) }] : []),
    ...(quality ? [{ title: 'Speed against quality', table: qualityTable(quality), notes: qualityText(quality) }] : []),
    ...(comparison
      ? [{ title: 'Against the earlier report', table: changeTable(comparison), notes: comparisonText(comparison) }]
      : []),
  ];
}

/** A report as one page that needs nothing from elsewhere. */
export function benchPage(report: BenchReport, comparison?: BenchComparison): string {
  return htmlPage('flavr bench', [
    heading(1, 'How fast is it here?'),
    paragraph(machineText(report)),
    ...benchPlots(report).map(({ svg }) => svg),
    ...sections(report, comparison).flatMap(({ title, table, notes }) => [
      heading(2, title),
      ...(table ? [htmlTable(table)] : []),
      ...notes.map(paragraph),
    ]),
    ...(report.sweeps.length > 0 ? [paragraph(peakNote(report))] : []),
    heading(2, 'Environment'),
    htmlTable([['', ''], ...facts(report)]),
  ]);
}

/** Everything that the figures depend on, as rows. */
function facts({ environment, devices, model }: BenchReport): string[][] {
  const { libraries, ...own } = environment;
  const gpus = (devices?.gpus ?? []).map(({ name, computeCapability, memoryGiB }, i) => {
    return [`GPU ${i}`, `${name}, compute capability ${computeCapability}, ${memoryGiB} GiB`];
  });
  const driver = devices ? { driver: devices.driver, CUDA: devices.cuda, ...devices.libraries } : { GPU: 'none' };
  const model_ = { model: model.name, 'its hash': model.hash, parameters: model.parameters, trained: model.trained };
  const rows = [...Object.entries({ ...own, ...libraries }), ...gpus, ...Object.entries({ ...driver, ...model_ })];
  return rows.map(([name, value]) => [name!, String(value ?? 'unknown')]);
}
