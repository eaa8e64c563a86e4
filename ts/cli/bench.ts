import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import type { Backend } from '../backends/backend.js';
import { CPU_LOWERING } from '../backends/cpu-options.js';
import { choosePrecision, precisionsOf } from '../backends/precisions.js';
import { selectBackend } from '../backends/select.js';
import { compareReports } from '../bench/compare.js';
import { measureEngineBuilds } from '../bench/engine-builds.js';
import { readDevices, readEnvironment } from '../bench/environment.js';
import { type MeasureOptions, tryPoint } from '../bench/measure.js';
import { type Section, sections } from '../bench/page.js';
import { checkQualitySource, measureQuality } from '../bench/quality.js';
import { measureReferenceRate } from '../bench/reference-rate.js';
import { type BenchReport, type PointResult, parseReport } from '../bench/report.js';
import { AXES, asRun, type Point, parseSweeps, type Sweep } from '../bench/scenarios.js';
import { measureStartUp } from '../bench/start-up.js';
import { devicePeak, machineText, peakNote } from '../bench/tables.js';
import { UNTRAINED_SHAPES, untrainedModel } from '../bench/untrained.js';
import { measureVideo } from '../bench/video-run.js';
import { BenchFiles } from '../bench/write.js';
import { asFlavrError, FlavrError } from '../errors.js';
import { passFactors } from '../factors.js';
import { defaultModel } from '../model/bundled.js';
import { requestedModel } from '../model/calibration.js';
import { type Model, modelFactor } from '../model/config.js';
import { estimateGraph } from '../model/graph/build.js';
import { LOWERINGS } from '../model/graph-spec.js';
import { columns } from '../report/table.js';
import { refuseSameFile } from '../video/output-file.js';
import { openSource } from '../video/source.js';
import { type CommandContext, defineCommand } from './command.js';
import { ProgressLine } from './progress.js';
import { RUN_OPTIONS, readRunOptions } from './run-options.js';
import { choiceOption, integerOption, numberOption, sizeOption } from './values.js';

const OPTIONS = {
  ...RUN_OPTIONS,
  untrained: {
    type: 'string',
    value: UNTRAINED_SHAPES.join('|'),
    help: 'in place of a model, the published network with noise for weights: for times of full-width networks and any k',
  },
  vary: {
    type: 'string',
    value: 'AXIS[=A,B]',
    multiple: true,
    help:
      `time per window along ${AXES.join(', ')}, at these values or the usual ones; may be repeated ` +
      '(default, where nothing is named: size, threads or, on a GPU, batch, and --start-up)',
  },
  'start-up': { type: 'boolean', help: 'from the start of a process to its first new frame; engine builds, if any' },
  video: { type: 'string', value: 'FILE', help: 'the rate of a whole video, and the share of each stage' },
  quality: {
    type: 'string',
    value: 'FILE',
    help: 'time against PSNR, by --vary precision and lowering: on a video, or from a report of flavr evaluate --json',
  },
  limit: { type: 'string', value: 'N', help: 'samples of the video that --quality evaluates (default: 10)' },
  size: { type: 'string', value: 'WxH', help: 'size of the frames where it is not varied (default: 256x256)' },
  k: { type: 'string', short: 'k', value: 'N', help: "factor of one pass (default: the model's; untrained: 2)" },
  batch: { type: 'string', value: 'B', help: 'windows in one call (default: 1)' },
  'in-flight': { type: 'string', value: 'N', help: 'calls at a time (default: 1: the time of a call by itself)' },
  lowering: {
    type: 'string',
    value: LOWERINGS.join('|'),
    help: "how convolutions are written (default: the backend's)",
  },
  runs: { type: 'string', value: 'N', help: 'at least this many calls per point (default: 5)' },
  seconds: { type: 'string', value: 'S', help: 'at least this long per point (default: 3)' },
  html: { type: 'string', value: 'FILE', help: 'write a page with tables, plots and the environment' },
  plots: { type: 'string', value: 'DIR', help: 'write the plots as SVG, and as PNG where sharp is installed' },
  overwrite: { type: 'boolean', help: 'replace an existing page and folder of plots' },
  against: { type: 'string', value: 'FILE', help: 'compare with an earlier --json report' },
  'fail-on-slowdown': { type: 'boolean', help: 'with --against, exit with 3 if anything is slower beyond noise' },
} as const;

/** `flavr bench`: how fast the model is here. */
export const bench = defineCommand({
  name: 'bench',
  summary: 'measure how fast the model is on this machine',
  positionals: [],
  options: OPTIONS,
  example: 'flavr bench --vary size=256x256,480x270 --vary lowering --html bench.html --json > today.json',
  run,
});

type Context = CommandContext<typeof OPTIONS>;

/** What is measured, settled before anything is. */
interface Job {
  readonly backend: Backend;
  readonly modelFor: (k: number) => Model;
  readonly base: Point;
  readonly sweeps: readonly Sweep[];
  readonly startUp: boolean;
  readonly measuring: Omit<MeasureOptions, 'model' | 'referenceRate'>;
}

async function run(context: Context): Promise<BenchReport & { comparison?: unknown }> {
  const { options, print, note } = context;
  const earlier = options.against === undefined ? undefined : await readEarlier(options.against);
  if (options['fail-on-slowdown'] && !earlier) {
    throw new FlavrError('BAD_ARGUMENT', '--fail-on-slowdown needs a report to compare with: --against FILE.');
  }
  const environment = readEnvironment();
  const job = await readJob(context);
  await refuseSameFile({
    '--video': options.video,
    '--quality': options.quality,
    '--calibration': options.calibration,
    '--against': options.against,
    '--html': options.html,
    '--plots': options.plots,
  });
  const files = await BenchFiles.create(options, options.overwrite ?? false);
  const line = new ProgressLine(process.stderr);
  try {
    const { cores, load } = environment;
    if (load > cores * 0.5) note(`flavr: warning: the machine is busy (load ${load}); these figures will scatter.`);
    const report = { ...(await emptyReport(job, options.untrained === undefined)), environment };
    print(machineText(report));
    const show = sectionPrinter(print);
    const measured = await measure(report, job, context, line, show);
    const comparison = earlier && compareReports(earlier, measured);
    line.clear();
    show(sections(measured, comparison));
    if (measured.sweeps.length > 0) print(`\n${peakNote(measured)}`);
    await files.write(measured, comparison);
    if (options['fail-on-slowdown'] && comparison) {
      const { changes } = comparison;
      if (changes.some(({ verdict }) => verdict === 'slower')) {
        note('flavr: slower than the earlier report, beyond noise.');
        context.failCheck();
      } else if (changes.every(({ verdict }) => verdict === 'not comparable')) {
        note('flavr: warning: --fail-on-slowdown found nothing that can be held against the earlier report.');
      }
    }
    return comparison ? { ...measured, comparison } : measured;
  } finally {
    line.clear();
    await files.discard();
  }
}

/** Reads all options; whatever can be refused is refused here. */
async function readJob({ options, signal }: Context): Promise<Job> {
  const asked = readRunOptions(options);
  const untrained = choiceOption('--untrained', options.untrained, UNTRAINED_SHAPES);
  if (untrained && asked.model !== undefined) {
    throw new FlavrError('BAD_ARGUMENT', '--untrained stands in place of --model; give one of them.');
  }
  if (untrained && (options['start-up'] || options.quality !== undefined)) {
    throw new FlavrError('BAD_ARGUMENT', '--start-up and --quality are for a trained model, not for --untrained.');
  }
  integerOption('--limit', options.limit, 1, 1_000_000);
  if (options.video !== undefined) await (await openSource(options.video, { signal })).close();
  if (options.quality !== undefined) await checkQualitySource(options.quality);
  const { backend } = await selectBackend(asked.backend ?? 'auto');
  const problem = await backend.unavailable();
  if (problem !== undefined) throw new FlavrError('BACKEND_UNAVAILABLE', problem);
  const onCpu = backend.name === 'cpu';
  if (untrained && asked.calibration !== undefined) {
    throw new FlavrError('BAD_ARGUMENT', '--calibration is for a trained model; --untrained needs none.');
  }
  const k = integerOption('-k', options.k, 2, 4096);
  const loaded = untrained ? untrainedModel(untrained, k ?? 2) : await benchModel(asked, k);
  const calibrated = loaded.kind === 'weights' && loaded.calibration !== undefined;
  const precisions = precisionsOf(backend.name).filter((precision) => precision !== 'int8' || calibrated);
  const fixed = loaded.kind === 'graph' ? `${loaded.width}x${loaded.height}` : '256x256';
  const cores = availableParallelism();
  const base = asRun({
    ...sizeOption('--size', options.size ?? fixed),
    k: k ?? modelFactor(loaded),
    batch: integerOption('--batch', options.batch, 1, 64) ?? 1,
    inFlight: integerOption('--in-flight', options['in-flight'], 1, 64) ?? 1,
    precision: choosePrecision(backend.name, asked.precision),
    lowering: choiceOption('--lowering', options.lowering, LOWERINGS) ?? (onCpu ? CPU_LOWERING : '3d'),
    threads: onCpu ? (asked.threads ?? cores) : undefined,
  });
  const factors = untrained ? [2, 4, 8, 16, 32] : passFactors(modelFactor(loaded)).reverse();
  const nothingNamed = !(options.vary || options['start-up'] || options.video || options.quality);
  const usual = [...(loaded.kind === 'graph' ? [] : ['size']), onCpu ? 'threads' : 'batch'];
  const words = options.vary ?? (nothingNamed ? usual : []);
  return {
    backend,
    modelFor: (k) => (untrained && k !== base.k ? untrainedModel(untrained, k) : loaded),
    base,
    sweeps: parseSweeps(words, { point: base, factors, precisions, cores }),
    startUp: options['start-up'] ?? (nothingNamed && !untrained),
    measuring: {
      ...{ backend, signal, device: asked.device, warmup: 2 },
      runs: integerOption('--runs', options.runs, 1, 100_000) ?? 5,
      seconds: numberOption('--seconds', options.seconds, 0, 3600) ?? 3,
    },
  };
}

/** With a calibration the model is ready for int8, which may be asked for as a whole or along an axis only. */
function benchModel(asked: ReturnType<typeof readRunOptions>, k: number | undefined) {
  const { model, calibration, precision } = asked;
  return requestedModel({ model, k, calibration, precision: calibration === undefined ? precision : 'int8' });
}

/** What is known before anything is measured. */
async function emptyReport(
  { backend, modelFor, base }: Job,
  trained: boolean,
): Promise<Omit<BenchReport, 'environment'>> {
  const model = modelFor(base.k);
  const { name, hash } = model;
  const { parameters } = estimateGraph(model, { width: base.width, height: base.height, factor: base.k });
  return {
    format: 'flavr-bench-2',
    devices: await readDevices(),
    model: { name, hash, parameters, trained },
    backend: backend.name,
    base,
    referenceRates: {},
    sweeps: [],
  };
}

/** Measures one scenario after another, showing each when it is there. */
async function measure(
  start: BenchReport,
  job: Job,
  { options, signal }: Context,
  line: ProgressLine,
  show: (sections: readonly Section[]) => void,
): Promise<BenchReport> {
  const { base, measuring, modelFor } = job;
  let report = start;
  const add = (part: Partial<BenchReport>) => {
    report = { ...report, ...part };
    line.clear();
    show(sections(report));
  };
  for (const { axis, points } of job.sweeps) {
    const results: PointResult[] = [];
    const referenceRates = { ...report.referenceRates };
    for (const { value, point } of points) {
      line.show(`${axis} ${value}`);
      const { threads } = point;
      if (threads !== undefined) referenceRates[threads] ??= await measureReferenceRate(threads, signal);
      const referenceRate =
        threads === undefined ? devicePeak(report, measuring.device, point.precision) : referenceRates[threads];
      const outcome = await tryPoint(point, { ...measuring, model: modelFor(point.k), referenceRate });
      results.push({ value, point, ...outcome });
    }
    add({ referenceRates, sweeps: [...report.sweeps, { axis, points: results }] });
  }
  const { calibration, ...asked } = readRunOptions(options);
  const run = {
    ...{ ...asked, backend: job.backend.name, precision: base.precision, k: base.k },
    calibration: base.precision === 'int8' ? calibration : undefined,
  };
  if (job.startUp) {
    line.show('start-up');
    const { width, height } = base;
    add({
      startUp: await measureStartUp({ ...run, width, height, model: options.model ?? defaultModel(base.k) }, signal),
    });
    line.show('engine build');
    add({ engines: await measureEngineBuilds(modelFor(base.k), base, signal) });
  }
  if (options.video !== undefined) {
    const model = modelFor(base.k);
    add({ video: await measureVideo(options.video, { ...run, model, signal, onProgress: (p) => line.update(p) }) });
  }
  if (options.quality !== undefined) {
    const variants = [base, ...job.sweeps.flatMap(({ points }) => points.map(({ point }) => point))];
    add({
      quality: await measureQuality(options.quality, {
        variants: uniqueForms(variants).map(({ precision, lowering }) => ({ ...base, precision, lowering })),
        measuring: { ...measuring, model: modelFor(base.k) },
        limit: integerOption('--limit', options.limit, 1, 1_000_000) ?? 10,
        onProgress: ({ done, total }) => line.show(`evaluate: sample ${done}${total === undefined ? '' : `/${total}`}`),
      }),
    });
  }
  return report;
}

/** Of points with one precision and lowering, the first. */
const uniqueForms = (points: readonly Point[]): Point[] => [
  ...new Map(points.map((point) => [`${point.precision} ${point.lowering}`, point])).values(),
];

/** Prints each section once, as sections are added to the end of the list. */
function sectionPrinter(print: (line?: string) => void): (all: readonly Section[]) => void {
  let shown = 0;
  return (all) => {
    for (const { title, table, notes } of all.slice(shown)) {
      print(`\n${title}`);
      for (const row of table ? columns(table, 'right') : []) print(`  ${row}`);
      for (const text of notes) print(`  ${text}`);
    }
    shown = all.length;
  };
}

async function readEarlier(path: string): Promise<BenchReport> {
  const text = await readFile(path, 'utf8').catch((error) => {
    throw asFlavrError(error, 'BAD_ARGUMENT', `--against ${path} cannot be read`);
  });
  return parseReport(text, `--against ${path}`);
}
