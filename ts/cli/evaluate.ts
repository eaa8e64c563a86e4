import { writeFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Progress } from '../backends/backend.js';
import { FlavrError } from '../errors.js';
import { DATA_SETS, defaultFactor, METRICS_NAMES } from '../evaluate/data-set.js';
import { blend, type Method, nearest } from '../evaluate/methods.js';
import { minterpolate } from '../evaluate/minterpolate.js';
import { modelMethod } from '../evaluate/model-method.js';
import {
  type EvaluateMethodsOptions,
  type EvaluationProgress,
  evaluateMethods,
  type Report,
} from '../evaluate/report.js';
import { reportHtml } from '../evaluate/report-html.js';
import { reportCsv, reportLines } from '../evaluate/report-text.js';
import { worstSamples } from '../evaluate/worst.js';
import { defaultModel } from '../model/bundled.js';
import { measuredModel, readCalibration } from '../model/calibration.js';
import { importPeer, peerProblem } from '../peers.js';
import { OutputFile, refuseSameFile, unwritable } from '../video/output-file.js';
import { type CommandContext, defineCommand } from './command.js';
import { clock, ProgressLine } from './progress.js';
import { RUN_OPTIONS, readRunOptions } from './run-options.js';
import { BACKENDS, choiceOption, integerOption, PRECISIONS } from './values.js';

const BASELINES = ['blend', 'nearest', 'minterpolate'] as const;
const WORST = 3;

const OPTIONS = {
  dataset: {
    type: 'string',
    value: 'NAME',
    required: true,
    help: `${DATA_SETS.join(', ')}; video is any video or folder of frames, with every k-th kept`,
  },
  data: { type: 'string', value: 'PATH', required: true, help: 'the folder in its published layout, or the video' },
  ...RUN_OPTIONS,
  compare: {
    type: 'string',
    value: 'M[@WHERE]',
    multiple: true,
    help: 'another model, or the same one on another backend or in another precision: M, @tensorrt, @int8, M@cpu@int8; may be repeated',
  },
  baselines: {
    type: 'string',
    value: 'LIST',
    help: 'blend, nearest, minterpolate, separated by commas, or none (default: all)',
  },
  k: { type: 'string', short: 'k', value: 'N', help: "the factor (default: the protocol's own; 2 for a video)" },
  metrics: {
    type: 'string',
    value: METRICS_NAMES.join('|'),
    help: "figures as FLAVR or CAIN take them, of 8-bit values, or of luma (default: the protocol's own)",
  },
  limit: { type: 'string', value: 'N', help: 'at most N samples of each set, evenly spread (of a video: the first)' },
  resume: { type: 'string', value: 'FILE', help: 'keep scores in this file as they are reached, and go on from it' },
  csv: { type: 'string', value: 'FILE', help: 'write every figure of every frame' },
  html: { type: 'string', value: 'FILE', help: 'write a page with tables, plots and the worst samples' },
  overwrite: { type: 'boolean', help: 'replace existing CSV and HTML files' },
} as const;

/** `flavr evaluate`: how good a model is, by the published protocols. */
export const evaluate = defineCommand({
  name: 'evaluate',
  summary: 'measure models by the published protocols, or on any video',
  positionals: [],
  options: OPTIONS,
  example: 'flavr evaluate --dataset video --data holiday.mp4 -k 2 --html report.html',
  run,
});

type Context = CommandContext<typeof OPTIONS>;

async function run(context: Context): Promise<Report> {
  const { options, signal } = context;
  const line = new ProgressLine(process.stderr);
  const dataset = options.dataset;
  const data = options.data;
  const asked = {
    factor: integerOption('-k', options.k, 2, 64),
    limit: integerOption('--limit', options.limit, 1, 10_000_000),
    metrics: choiceOption('--metrics', options.metrics, METRICS_NAMES),
  };
  // Found out now, not after hours.
  if (options.html) await importPeer('sharp');
  await refuseSameFile({
    '--data': data,
    '--model': options.model,
    '--calibration': options.calibration,
    '--resume': options.resume,
    '--csv': options.csv,
    '--html': options.html,
  });
  const outputs: OutputFile[] = [];
  const methods: Method[] = [];
  try {
    const create = async (path: string | undefined) => {
      if (path === undefined) return undefined;
      const file = await OutputFile.create(path, options.overwrite ?? false);
      outputs.push(file);
      return file;
    };
    const csv = await create(options.csv);
    const html = await create(options.html);
    await openMethods(context, asked.factor ?? defaultFactor(dataset), line, methods);
    const job: EvaluateMethodsOptions = {
      ...asked,
      dataset,
      data,
      methods,
      signal,
      journal: options.resume,
      onProgress: progressShower(line),
    };
    const report = await evaluateMethods(job);
    line.clear();
    // First where nothing can fail: the figures may have taken days.
    for (const text of reportLines(report)) context.print(text);
    if (csv) await write(csv, reportCsv(report));
    if (html) await write(html, reportHtml(report, await worstSamples(report, job, WORST)));
    return report;
  } catch (error) {
    if (signal.aborted && options.resume) {
      context.note(`flavr: the scores so far are in ${options.resume}; the same command goes on from them.`);
    }
    throw error;
  } finally {
    line.clear();
    await Promise.all([...methods.map((method) => method.close()), ...outputs.map((file) => file.discard())]);
  }
}

/** Opens every method into `methods`, so that the caller closes those that were opened before one failed. */
async function openMethods(
  { options, note }: Context,
  k: number,
  line: ProgressLine,
  methods: Method[],
): Promise<void> {
  const { model: asked, calibration: path, ...common } = readRunOptions(options);
  const calibration = path === undefined ? undefined : await readCalibration(path);
  const model = asked ?? measuredModel(calibration) ?? defaultModel(k);
  const baselines = baselineOption(options.baselines);
  const { compare = [] } = options;
  for (const word of compare) checkPlace(word);
  const named = nameModels([
    model,
    ...compare.map((word) => (word.startsWith('@') ? splitModel(model).path + word : word)),
  ]);
  const told = {
    onProgress: (progress: Progress) => line.stage(progress),
    onNotice: (sentence: string) => {
      line.clear();
      note(`flavr: warning: ${sentence}`);
    },
  };
  const precisions = named.map(({ precision = common.precision }) => precision);
  for (const [i, { path, backend = common.backend, name }] of named.entries()) {
    const precision = precisions[i];
    // Where nothing runs in int8, the first model says what a calibration is for.
    const ranges = precision === 'int8' || !precisions.includes('int8') ? calibration : undefined;
    methods.push(await modelMethod(path, { ...common, ...told, backend, precision, calibration: ranges, name }));
  }
  for (const baseline of baselines) {
    if (baseline === 'blend') methods.push(blend);
    else if (baseline === 'nearest') methods.push(nearest);
    else if (options.baselines === undefined && peerProblem('node-av') !== undefined) {
      note('flavr: warning: minterpolate is left out, because it needs the package node-av.');
    } else methods.push(await minterpolate());
  }
}

interface NamedModel {
  readonly path: string;
  readonly backend: (typeof BACKENDS)[number] | undefined;
  readonly precision: (typeof PRECISIONS)[number] | undefined;
  readonly name: string;
}

/** Reads `M[@BACKEND][@PRECISION]`, in either order. */
function splitModel(word: string): Omit<NamedModel, 'name'> {
  const at = word.lastIndexOf('@');
  const place = at > 0 ? word.slice(at + 1) : undefined;
  const backend = BACKENDS.find((known) => known === place);
  const precision = PRECISIONS.find((known) => known === place);
  if (!backend && !precision) return { path: word, backend, precision };
  const rest = splitModel(word.slice(0, at));
  if ((backend && rest.backend) || (precision && rest.precision)) {
    throw new FlavrError('BAD_ARGUMENT', `${word} names two backends or two precisions; name one of each.`);
  }
  return { path: rest.path, backend: rest.backend ?? backend, precision: rest.precision ?? precision };
}

/** A word that names no model must say where the same one is to run. */
function checkPlace(word: string): void {
  if (!word.startsWith('@') || !splitModel(`M${word}`).path.includes('@')) return;
  throw new FlavrError(
    'BAD_ARGUMENT',
    `--compare ${word}: after @ comes a backend (${BACKENDS.join(', ')}) or a precision (${PRECISIONS.join(', ')}).`,
  );
}

/** A model is called by its file's name, backend and precision, or by the whole word where that would not be unique. */
function nameModels(words: readonly string[]): NamedModel[] {
  const models = words.map((word) => ({ word, ...splitModel(word), name: basename(word) }));
  return models.map(({ word, name, ...model }, i) => {
    const alike = models.filter((other, j) => j !== i && other.name === name);
    if (alike.some((other) => other.word === word) || BASELINES.some((known) => known === name)) {
      throw new FlavrError('BAD_ARGUMENT', `Two of the methods would be called ${name}; name each model once.`);
    }
    return { ...model, name: alike.length > 0 ? word : name };
  });
}

function baselineOption(text: string = BASELINES.join()): (typeof BASELINES)[number][] {
  if (text === 'none') return [];
  const words = new Set(text.split(','));
  return [...words].map((word) => choiceOption('--baselines', word, [...BASELINES])!);
}

function progressShower(line: ProgressLine): (progress: EvaluationProgress) => void {
  const started = performance.now();
  return ({ set, done, total, measured }) => {
    const perSample = (performance.now() - started) / 1000 / measured;
    const left = total === undefined || measured === 0 ? '' : `  ETA ${clock((total - done) * perSample)}`;
    line.show(`${set}: sample ${done}${total === undefined ? '' : `/${total}`}${left}`);
  };
}

async function write(file: OutputFile, text: string): Promise<void> {
  await writeFile(file.temporary, text).catch((error) => {
    throw unwritable(file.path, error);
  });
  await file.commit();
}
