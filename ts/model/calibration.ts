import { readFile, stat } from 'node:fs/promises';
import { types } from 'node:util';
import { checkArgument, either, type Kind, PATH } from '../arguments.js';
import { FlavrError } from '../errors.js';
import { BUNDLED_MODELS, defaultModel } from './bundled.js';
import type { Model, WeightsModel } from './config.js';
import { quantisedActivations, uncalibrated } from './graph/build.js';
import type { Precision } from './graph-spec.js';
import { givenModel } from './load.js';

/** Where nearly all values of an activation lie; 0 is always among them. */
export interface Range {
  readonly min: number;
  readonly max: number;
}

/** What precision int8 must know of a model's activations; `calibrate` measures it, a file keeps it. */
export interface Calibration {
  /** Name of the model, for people. */
  readonly model: string;
  /** `hash` of the model: the ranges are those of its very weights. */
  readonly hash: string;
  /** How many windows were looked at. */
  readonly windows: number;
  /** By name of the activation. */
  readonly ranges: ReadonlyMap<string, Range>;
}

const FORMAT = 'flavr-calibration-1';

// A few dozen bytes for each of at most a few hundred activations.
const MOST_BYTES = 1 << 20;

const invalid = (which: string, what: string, cause?: unknown): FlavrError =>
  new FlavrError('CALIBRATION_INVALID', `${which} is no usable calibration: ${what}. Make it again: flavr calibrate.`, {
    cause,
  });

const MEASURED: Kind = {
  words: 'what calibrate or readCalibration gave',
  fits: (value) => {
    const { model, hash, windows, ranges } = (value ?? {}) as Partial<Calibration>;
    return typeof model === 'string' && typeof hash === 'string' && Number.isInteger(windows) && types.isMap(ranges);
  },
};

/** What calls take that are given a calibration. */
export const CALIBRATION: Kind = either(PATH, MEASURED);

/** A calibration as the text of a file. */
export function encodeCalibration(calibration: Calibration): string {
  checkArgument('calibration', calibration, MEASURED);
  const { ranges, ...facts } = calibration;
  const pairs = [...ranges].map(([activation, { min, max }]) => [activation, [min, max]]);
  return `${JSON.stringify({ format: FORMAT, ...facts, ranges: Object.fromEntries(pairs) }, undefined, 1)}\n`;
}

/**
 * Reads what `encodeCalibration` wrote.
 * @param which the file's name, for messages.
 * @throws FlavrError `CALIBRATION_INVALID`, saying what is wrong.
 */
export function decodeCalibration(text: string, which: string): Calibration {
  let file: unknown;
  try {
    file = JSON.parse(text);
  } catch (cause) {
    throw invalid(which, 'it is not JSON', cause);
  }
  if (!isTable(file) || file.format !== FORMAT) throw invalid(which, `its format is not ${FORMAT}`);
  const { model, hash, windows, ranges } = file;
  if (typeof model !== 'string' || typeof hash !== 'string' || !Number.isSafeInteger(windows) || !isTable(ranges)) {
    throw invalid(which, 'model, hash, windows or ranges is missing or of another type');
  }
  const entries = Object.entries(ranges).map(([activation, pair]) => {
    const [min, max] = Array.isArray(pair) && pair.length === 2 ? pair : [];
    if (!(Number.isFinite(min) && Number.isFinite(max) && min <= 0 && max >= 0)) {
      throw invalid(which, `the range of ${activation} must be two numbers around 0; it is ${JSON.stringify(pair)}`);
    }
    return [activation, { min, max }] as const;
  });
  return { model, hash, windows: windows as number, ranges: new Map(entries) };
}

const isTable = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads a file that `encodeCalibration` gave the text of, as `flavr calibrate` writes it.
 * @throws FlavrError `CALIBRATION_INVALID` for a file that cannot be read, is too large, or is none.
 */
export async function readCalibration(path: string): Promise<Calibration> {
  checkArgument('path', path, PATH);
  try {
    const { size } = await stat(path);
    if (size > MOST_BYTES) throw invalid(path, `it has ${size} bytes, and none has more than ${MOST_BYTES}`);
    return decodeCalibration(await readFile(path, 'utf8'), path);
  } catch (error) {
    if (error instanceof FlavrError) throw error;
    throw new FlavrError('CALIBRATION_INVALID', `${path} cannot be read: ${(error as Error).message}.`, {
      cause: error,
    });
  }
}

/** The bundled model that a calibration was measured on; undefined for one of another. */
export const measuredModel = (calibration: Calibration | undefined): string | undefined =>
  BUNDLED_MODELS.find(({ name }) => name === calibration?.model)?.name;

/** The model, ready for precision int8. @throws FlavrError `CALIBRATION_INVALID` if it was made for other weights. */
export function calibratedModel(model: Model, calibration: Calibration): WeightsModel {
  if (model.kind === 'graph') throw quantisedGraph(model.name);
  if (calibration.hash !== model.hash) {
    throw invalid(`The calibration of ${calibration.model}`, `${model.name} has other weights than those it is for`);
  }
  for (const activation of quantisedActivations(model).keys()) {
    if (!calibration.ranges.has(activation)) {
      throw invalid(`The calibration of ${calibration.model}`, `it has no range of ${activation}`);
    }
  }
  return { ...model, calibration };
}

/** What is said of a graph that is to be quantised. */
export const quantisedGraph = (name: string): FlavrError =>
  new FlavrError('BAD_ARGUMENT', `${name} is a graph, which keeps its own operators; int8 needs a checkpoint.`);

/** How a model is asked for. */
export interface ModelRequest {
  /** A name or path as `loadModel` takes, or a loaded model. Default: the bundled model of the calibration, or for `k`. */
  readonly model?: string | Model | undefined;
  readonly k?: number | readonly number[] | undefined;
  /** A path, or what `calibrate` or `readCalibration` gave. */
  readonly calibration?: string | Calibration | undefined;
  readonly precision?: Precision | 'tf32' | undefined;
}

/**
 * The model, with its calibration where one is given.
 * @throws FlavrError as `loadModel` and `readCalibration`; `BAD_ARGUMENT` for a calibration without precision int8, and
 * for int8 without one.
 */
export async function requestedModel({ model: asked, k, calibration, precision }: ModelRequest): Promise<Model> {
  if (calibration !== undefined) {
    if (precision !== 'int8') {
      throw new FlavrError('BAD_ARGUMENT', `A calibration is for precision int8; got ${precision ?? 'no precision'}.`);
    }
    const ranges = typeof calibration === 'string' ? await readCalibration(calibration) : calibration;
    return calibratedModel(await givenModel(asked ?? measuredModel(ranges) ?? defaultModel(k)), ranges);
  }
  const model = await givenModel(asked ?? defaultModel(k));
  if (precision !== 'int8') return model;
  if (model.kind === 'graph') throw quantisedGraph(model.name);
  if (!model.calibration) throw uncalibrated(model.name);
  return model;
}
