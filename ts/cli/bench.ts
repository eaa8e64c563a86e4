import { readFile } from 'node:fs/promises';
import { selectBackend } from '../backends/select.js';
import { readEnvironment } from '../bench/environment.js';
import { measurePoint } from '../bench/measure.js';
import { type BenchReport, compareReports, type SweepResult, sweepTable } from '../bench/report.js';
import { AXES, type Axis, DEFAULT_SWEEPS, type Point, pointAt } from '../bench/scenarios.js';
import { asFlavrError, FlavrError } from '../errors.js';
import { passFactors } from '../factors.js';
import { DEFAULT_MODEL } from '../model/bundled.js';
import { modelFactor } from '../model/config.js';
import { loadModel } from '../model/load.js';
import { type CommandContext, defineCommand } from './command.js';
import { RUN_OPTIONS, readRunOptions } from './run-options.js';
import { choiceOption, integerOption, numberOption, PRECISIONS, sizeOption } from './values.js';

const OPTIONS = {
  ...RUN_OPTIONS,
  size: { type: 'string', value: 'WxH', help: 'size of the frames where size is not varied (default 256x256)' },
  k: { type: 'string', short: 'k', value: 'N', help: "factor of one pass (default: the model's)" },
  batch: { type: 'string', value: 'B', help: 'windows in one call (default 1)' },
  'in-flight': { type: 'string', value: 'N', help: 'calls at a time (default 1: the time of a call by itself)' },
  lowering: { type: 'string', value: '2d|3d', help: "how convolutions are written (default: the backend's)" },
  vary: {
    type: 'string',
    value: 'AXIS[=A,B]',
    multiple: true,
    help: `what to vary, one after another: ${AXES.join(', ')}, with values or as they come (default: k and size)`,
  },
  runs: { type: 'string', value: 'N', help: 'at least this many calls per point (default 5)' },
  seconds: { type: 'string', value: 'S', help: 'at least this long per point (default 3)' },
  against: { type: 'string', value: 'FILE', help: 'compare with an earlier --json report' },
} as const;

/** `flavr bench`: how fast the model is here. */
export const bench = defineCommand({
  name: 'bench',
  summary: 'measure how fast the model is on this machine',
  positionals: [],
  options: OPTIONS,
  example: 'flavr bench --vary size=256x256,480x270 --vary lowering --json > today.json',
  run,
});

async function run(context: CommandContext<typeof OPTIONS>): Promise<BenchReport & { changes?: unknown }> {
  const { options, signal, print, note } = context;
  const earlier = options.against === undefined ? undefined : await readReport(options.against);
  const environment = readEnvironment();
  const asked = readRunOptions(options);
  const { backend } = await selectBackend(asked.backend ?? 'auto');
  const model = await loadModel(asked.model ?? DEFAULT_MODEL);
  const base: Point = {
    ...sizeOption('--size', options.size ?? '256x256'),
    k: integerOption('-k', options.k, 2, 4096) ?? modelFactor(model),
    batch: integerOption('--batch', options.batch, 1, 64) ?? 1,
    inFlight: integerOption('--in-flight', options['in-flight'], 1, 64) ?? 1,
    precision: asked.precision ?? (backend.name === 'cpu' ? 'fp32' : 'fp16'),
    lowering: choiceOption('--lowering', options.lowering, ['2d', '3d']),
    threads: asked.threads,
  };
  const measuring = {
    ...{ backend, model, signal, warmup: 2 },
    device: asked.device,
    runs: integerOption('--runs', options.runs, 1, 100_000) ?? 5,
    seconds: numberOption('--seconds', options.seconds, 0, 3600) ?? 3,
  };

  const { processor, cores, load, commit } = environment;
  print(`${model.name} on ${backend.name}; ${processor}, ${cores} cores; flavr ${environment.flavr} ${commit ?? ''}`);
  if (load > cores * 0.5) note(`flavr: warning: the machine is busy (load ${load}); these figures will scatter.`);
  const sweeps: SweepResult[] = [];
  for (const [axis, values] of sweepsOf(options.vary ?? ['k', 'size'], passFactors(modelFactor(model)))) {
    const points: SweepResult['points'][number][] = [];
    for (const value of values) {
      points.push({ value, result: await measurePoint(pointAt(base, axis, value), measuring) });
    }
    const sweep = { axis, points };
    sweeps.push(sweep);
    print();
    for (const line of sweepTable(sweep)) print(line);
  }
  const report: BenchReport = {
    format: 'flavr-bench-1',
    environment,
    model: model.name,
    backend: backend.name,
    sweeps,
  };
  if (!earlier) return report;
  const changes = compareReports(earlier, report);
  print();
  print(`Against ${options.against} (${earlier.environment.commit ?? earlier.environment.flavr}):`);
  for (const { axis, value, before, after, ratio, verdict } of changes) {
    print(`  ${axis} ${value}: ${before.toFixed(1)} -> ${after.toFixed(1)} ms, ${ratio.toFixed(2)} times: ${verdict}`);
  }
  if (changes.length === 0) print('  no point of the two reports is the same');
  return { ...report, changes };
}

/** Reads `--vary` words: `AXIS`, or `AXIS=A,B`. */
function sweepsOf(words: readonly string[], factors: readonly number[]): [Axis, readonly string[]][] {
  return words.map((word) => {
    const [name, list] = word.split('=', 2) as [string, string | undefined];
    const axis = choiceOption('--vary', name, AXES)!;
    const usual = axis === 'k' ? factors.map(String).reverse() : DEFAULT_SWEEPS[axis];
    const values = list === undefined ? usual : list.split(',').map((value) => value.trim());
    for (const value of values) checkValue(axis, value);
    return [axis, values];
  });
}

function checkValue(axis: Axis, value: string): void {
  if (axis === 'size') sizeOption('--vary size', value);
  else if (axis === 'precision') choiceOption('--vary precision', value, PRECISIONS);
  else if (axis === 'lowering') choiceOption('--vary lowering', value, ['2d', '3d']);
  else integerOption(`--vary ${axis}`, value, 1, 4096);
}

async function readReport(path: string): Promise<BenchReport> {
  try {
    const report = JSON.parse(await readFile(path, 'utf8')) as BenchReport;
    if (report.format === 'flavr-bench-1') return report;
  } catch (error) {
    throw asFlavrError(error, 'BAD_ARGUMENT', `--against ${path} cannot be read`);
  }
  throw new FlavrError('BAD_ARGUMENT', `--against ${path} is no report of flavr bench --json.`);
}
