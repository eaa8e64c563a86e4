import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import { CALLBACK, checkOptions, type Kind, type Kinds, needed, PATH, TEXT } from '../arguments.js';
import { FlavrError, throwIfAborted } from '../errors.js';
import { packageVersion } from '../package.js';
import { type Comparison, compareScores } from './compare.js';
import { type DataSet, type DataSetOptions, dataSetNames, MEASURING, type Metrics, openDataSet } from './data-set.js';
import { evaluate, type MethodScore } from './evaluate.js';
import { Journal } from './journal.js';
import type { Method } from './methods.js';
import type { Measurement } from './protocol.js';
import { type PublishedRow, publishedRows } from './published.js';

/** What `evaluateMethods` found, as a plain value: this is what `--json` prints. */
export interface Report {
  /** flavr's version. */
  readonly flavr: string;
  readonly sets: readonly SetReport[];
}

export const REPORT: Kind = {
  words: 'what evaluateMethods gave',
  fits: (value) => Array.isArray((value as Partial<Report> | null)?.sets),
};

/** One data set. */
export interface SetReport {
  readonly measurement: Omit<Measurement, 'publishedCount'>;
  /** The folder or file that was measured on. */
  readonly data: string;
  /** k. */
  readonly factor: number;
  /** 2C of the windows. */
  readonly inputs: number;
  readonly samples: number;
  /** How many samples the published figures are over, where it is known. */
  readonly publishedCount?: number;
  /** Samples in whose windows a frame stands in for one that the clip does not have. */
  readonly repeatedSamples: number;
  /** What was noticed of a video as it was opened, such as numbers that its images skip. */
  readonly warnings: readonly string[];
  readonly methods: readonly ReportedMethod[];
  /** The first method against each of the others. */
  readonly comparisons: readonly Comparison[];
  /** What others published for the same protocol; not measured here. */
  readonly published: readonly PublishedRow[];
}

/** One method's figures on one data set. */
export interface ReportedMethod extends MethodScore {
  /** What form the frames had before they were measured: `unrounded`, `8-bit` … */
  readonly output: string;
  /** What decides the figures: of a model its weights' hash, backend and precision. */
  readonly identity: string;
}

/** What {@link evaluateMethods} takes. */
export interface EvaluateMethodsOptions {
  /** A published set's name, `snu-film` for its four levels, or `video`. */
  readonly dataset: string;
  /** The folder in the set's published layout; for `video` a video file or a folder of images. */
  readonly data: string;
  /** The first is the one that the others are compared with. Their names differ. They are not closed. */
  readonly methods: readonly Method[];
  /** k. Default: the protocol's own; 2 for a video. */
  readonly factor?: number | undefined;
  /** At most so many samples of each set. */
  readonly limit?: number | undefined;
  /** Default: the protocol's own. */
  readonly metrics?: Metrics | undefined;
  /** A file that scores are kept in, and taken over from. */
  readonly journal?: string | undefined;
  readonly onProgress?: ((progress: EvaluationProgress) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

const METHODS: Kind = {
  words: 'a list of at least one method',
  fits: (value) =>
    Array.isArray(value) && value.length > 0 && value.every((each) => typeof each?.interpolate === 'function'),
};

export const EVALUATE_OPTIONS: Kinds<EvaluateMethodsOptions> = {
  dataset: needed(TEXT),
  data: needed(PATH),
  methods: needed(METHODS),
  ...MEASURING,
  journal: PATH,
  onProgress: CALLBACK,
};

/** How far an evaluation has come. */
export interface EvaluationProgress {
  readonly set: string;
  /** Samples behind it, and in all where that is known. */
  readonly done: number;
  readonly total: number | undefined;
  /** How many of those done were measured now, not taken over. */
  readonly measured: number;
}

/**
 * Measures methods on a data set, or on each of a group.
 * @throws FlavrError `DATASET_INVALID`, `BAD_ARGUMENT`, `ABORTED`; for videos also what reading videos throws.
 * @example
 * ```ts
 * const methods = [await modelMethod('mini-2x'), blend];
 * const report = await evaluateMethods({ dataset: 'vimeo-septuplet', data: 'vimeo_septuplet', methods, limit: 100 });
 * for (const { methods } of report.sets) {
 *   for (const { method, psnr } of methods) console.log(`${method}: ${psnr.toFixed(2)} dB`);
 * }
 * await Promise.all(methods.map((method) => method.close()));
 * ```
 */
export async function evaluateMethods(options: EvaluateMethodsOptions): Promise<Report> {
  checkOptions('evaluateMethods', options, EVALUATE_OPTIONS);
  const names = dataSetNames(options.dataset);
  checkNames(options.methods);
  const journal = options.journal === undefined ? undefined : new Journal(options.journal);
  try {
    // All of them first: what is wrong with the last is found out now, not after the hours that the others take.
    const opened: DataSet[] = [];
    for (const name of names) opened.push(await openSet(name, options));
    const sets: SetReport[] = [];
    for (const set of opened) {
      throwIfAborted(options.signal);
      sets.push(await evaluateSet(set, options, journal));
    }
    return { flavr: packageVersion(), sets };
  } finally {
    journal?.close();
  }
}

function checkNames(methods: readonly Method[]): void {
  const names = methods.map(({ name }) => name);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) throw new FlavrError('BAD_ARGUMENT', `Two of the methods are called ${twice}.`);
}

/** The set of that name as the options say. */
export function openSet(
  name: string,
  { data, methods, factor, limit, metrics, signal }: EvaluateMethodsOptions,
): Promise<DataSet> {
  const inputs = Math.max(...methods.map((method) => method.inputs));
  const options: DataSetOptions = { inputs, factor, limit, metrics, signal };
  return openDataSet(name, data, options);
}

async function evaluateSet(set: DataSet, options: EvaluateMethodsOptions, journal?: Journal): Promise<SetReport> {
  const { methods, signal, onProgress } = options;
  const data = resolve(options.data);
  const { measurement, factor, inputs } = set;
  const protocol = [measurement.name, `k=${factor}`, `2C=${inputs}`, measurement.psnr, measurement.ssim];
  const key = [...protocol, await fileVersion(data), data].join(' ');
  // A factor that a method cannot do is found out before anything is measured.
  const outputs = methods.map((method) => method.output(factor));
  const fresh = new Set<string>();
  const scores = await evaluate(set, methods, {
    ...(journal && { known: journal.known(key) }),
    onScore: (method, score) => {
      fresh.add(score.id);
      journal?.add(key, method, score);
    },
    onProgress: (done, total) => onProgress?.({ set: measurement.name, done, total, measured: fresh.size }),
    signal,
  });
  const reported = scores.map((score, i) => ({ ...score, output: outputs[i]!, identity: methods[i]!.identity }));
  return setReport(set, data, reported, options.metrics === undefined);
}

/** What tells a video from another that took its place under its name; a folder has nothing of the kind. */
async function fileVersion(path: string): Promise<string> {
  const found = await stat(path);
  return found.isFile() ? `${found.size}@${found.mtimeMs}` : 'folder';
}

function setReport(
  { measurement, factor, inputs, warnings = [] }: DataSet,
  data: string,
  methods: readonly ReportedMethod[],
  comparable: boolean,
): SetReport {
  const [first, ...others] = methods as [ReportedMethod, ...ReportedMethod[]];
  const { publishedCount, ...how } = measurement;
  const all = new Map(methods.flatMap(({ samples }) => samples.map(({ id, repeated }) => [id, repeated])));
  return {
    measurement: how,
    data,
    factor,
    inputs,
    samples: Math.max(...methods.map(({ samples, failed }) => samples.length + failed.length)),
    ...(publishedCount !== undefined && { publishedCount }),
    repeatedSamples: [...all.values()].filter((repeated) => repeated > 0).length,
    warnings,
    methods,
    comparisons: others.map((other) => compareScores(first, other)),
    published: comparable ? publishedRows(measurement.name, factor) : [],
  };
}
