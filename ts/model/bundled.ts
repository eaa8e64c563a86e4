import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { FlavrError } from '../errors.js';
import { countPasses } from '../factors.js';
import { packageRoot } from '../package.js';
import { type ByteSource, sourceOf } from './checkpoint/source.js';

/** A model that is part of the package. */
export interface BundledModel {
  readonly name: string;
  /** m: frames per gap plus one. */
  readonly factor: number;
  readonly parameters: number;
  readonly summary: string;
  readonly licence: string;
  /** Of the file, in hex; checked whenever the model is loaded. */
  readonly sha256: string;
}

export const BUNDLED_MODELS: readonly BundledModel[] = [
  {
    name: 'mini-2x',
    factor: 2,
    parameters: 2_637_475,
    summary: 'a quarter of the published width; doubles the frame rate',
    licence: 'MIT',
    sha256: '0b1e346a4d614f346d47590c98b5ce17220511c8f6d72c15a2628905852722be',
  },
  {
    name: 'mini-4x',
    factor: 4,
    parameters: 2_873_065,
    summary: 'a quarter to half of the published width; quadruples the frame rate in one pass',
    licence: 'MIT',
    sha256: '26d314af63d3c8cab6a9847f5bb4a3018307ce9efc6cd5967cb237c285b73688',
  },
  {
    name: 'mini-8x',
    factor: 8,
    parameters: 2_891_893,
    summary: 'a quarter to half of the published width; gives eight times the frame rate in one pass',
    licence: 'MIT',
    sha256: '45845170564e6ad9bdf80e292edc483f2ddcc9f634ed1f62d11744c09a9ca599',
  },
];

/** The model that is used when neither a model nor a factor is named. */
export const DEFAULT_MODEL = 'mini-2x';

/**
 * The bundled model that is used for factors k when none is named: that with the fewest passes, of these the one with the
 * smallest factor. One pass of a larger factor takes a fraction of the time of several, and sees the true frames only.
 */
export function defaultModel(k: number | readonly number[] | undefined): string {
  if (k === undefined) return DEFAULT_MODEL;
  const passes = (m: number) => [k].flat().reduce((sum, each) => sum + (countPasses(m, each) ?? Infinity), 0);
  const best = BUNDLED_MODELS.reduce((a, b) => (passes(b.factor) < passes(a.factor) ? b : a));
  return best.name;
}

/** The bundled models' names, as messages list them. */
export const bundledNames = (): string => BUNDLED_MODELS.map(({ name }) => name).join(', ');

/** The file of a bundled model; its model card lies beside it with the extension .md. */
export const bundledPath = ({ name }: BundledModel): string => join(packageRoot(), 'models', `${name}.safetensors`);

/**
 * The bytes of a bundled model, after their SHA-256 has been checked.
 * @throws FlavrError `MODEL_NOT_FOUND` if the package is incomplete; `CHECKPOINT_INVALID` if the file was changed.
 */
export async function openBundled(model: BundledModel): Promise<ByteSource> {
  const path = bundledPath(model);
  let bytes: Buffer;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    throw new FlavrError('MODEL_NOT_FOUND', `The bundled model ${model.name} is missing at ${path}; reinstall flavr.`, {
      cause,
    });
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (sha256 !== model.sha256) {
    throw new FlavrError(
      'CHECKPOINT_INVALID',
      `The bundled model ${model.name} at ${path} should have the SHA-256 ${model.sha256} but has ${sha256}; reinstall flavr.`,
    );
  }
  return sourceOf(`${model.name}.safetensors`, bytes);
}
