import { FlavrError } from '../errors.js';
import { invalid } from './checkpoint/source.js';
import type { DecidedBy, Fusion, ModelConfig, Residual, TemporalReduction, Upsampling } from './config.js';
import { expectedTensors, skipWidths } from './layout.js';
import { elementCount } from './shape.js';

/** What a caller may state of a model whose file does not tell it. */
export interface ModelOptions {
  /** add or none, where decoder and skip widths are equal; default add. */
  readonly fusion?: Fusion | undefined;
  /** stride or pool, where the decoder doubles time; with trilinear upsampling also none, the default. */
  readonly temporal?: TemporalReduction | undefined;
  /** Default mean, as published. */
  readonly residual?: Residual | undefined;
}

/** Shapes of a checkpoint's tensors under upstream's names, and its metadata. */
export interface ModelEvidence {
  /** The file's name, for messages. */
  readonly name: string;
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface InferredModel {
  readonly config: ModelConfig;
  readonly decidedBy: Readonly<Record<keyof ModelConfig, DecidedBy>>;
}

/** Far above any published model, and low enough that nothing takes gigabytes by mistake or malice. */
const LIMITS = { width: 4096, blocks: 64, inputs: 32, outputs: 255, parameters: 2 ** 28 } as const;

export const CHOICES: { readonly [F in keyof ModelOptions]-?: readonly ModelConfig[F][] } = {
  fusion: ['concat', 'add', 'none'],
  temporal: ['none', 'stride', 'pool'],
  residual: ['mean', 'blend'],
};

/**
 * The configuration of a network, from the names and shapes of its tensors; what they cannot tell (add or none, how time
 * is halved, the residual) from the metadata, else from `options`, else as published.
 * @throws FlavrError `CHECKPOINT_INVALID` naming a tensor that is missing, superfluous or of another shape than the rest
 * demands, and for metadata that contradict the tensors; `BAD_ARGUMENT` for an option that contradicts the file.
 */
export function inferModel(evidence: ModelEvidence, options: ModelOptions = {}): InferredModel {
  const reader = new ShapeReader(evidence);
  const shape = readShape(reader);
  const settle = settler(evidence, options);
  const temporal = settle('temporal', possibleReductions(reader, shape.upsampling));
  const fusion = settle('fusion', possibleFusions(reader, shape));
  const residual = settle('residual', CHOICES.residual);
  const config: ModelConfig = {
    ...shape,
    temporal: temporal.value,
    fusion: fusion.value,
    residual: residual.value,
  };
  checkLimits(evidence.name, config);
  checkMetadata(evidence, config);
  checkTensors(evidence, config);
  const byTensors = Object.fromEntries(Object.keys(config).map((field) => [field, 'tensors']));
  return {
    config,
    decidedBy: {
      ...(byTensors as Record<keyof ModelConfig, DecidedBy>),
      temporal: temporal.by,
      fusion: fusion.by,
      residual: residual.by,
    },
  };
}

/** Reads single dimensions, refusing a tensor that is missing or has another rank than a FLAVR network's. */
class ShapeReader {
  constructor(readonly evidence: ModelEvidence) {}

  has(name: string): boolean {
    return this.evidence.shapes.has(name);
  }

  of(name: string, rank: number): readonly number[] {
    const shape = this.evidence.shapes.get(name);
    if (!shape)
      throw invalid(this.evidence.name, `it has no tensor ${name}, which every FLAVR network of this kind has`);
    if (shape.length !== rank) {
      throw invalid(
        this.evidence.name,
        `the tensor ${name} should have ${rank} dimensions but its shape is [${shape}]`,
      );
    }
    return shape;
  }
}

type ShapeConfig = Omit<ModelConfig, 'temporal' | 'fusion' | 'residual'>;

/** The fields that names and shapes decide. */
function readShape(reader: ShapeReader): ShapeConfig {
  const file = reader.evidence.name;
  const [stem, , time] = reader.of('encoder.stem.0.weight', 5) as [number, number, number];
  if (time !== 3 && time !== 1) {
    throw invalid(file, `the tensor encoder.stem.0.weight should span 3 (r3d) or 1 (r2d) frames, not ${time}`);
  }
  const upsampling =
    reader.has('decoder.1.upconv.1.weight') && !reader.has('decoder.1.upconv.0.weight') ? 'trilinear' : 'transpose';
  const up = (stage: number) =>
    upsampling === 'transpose'
      ? reader.of(`decoder.${stage}.upconv.0.weight`, 5)[1]!
      : reader.of(`decoder.${stage}.upconv.1.weight`, 5)[0]!;
  const same = (stage: number) => reader.of(`decoder.${stage}.conv.0.weight`, 5)[0]!;
  const decoder = [same(0), up(1), up(2), same(3), up(4)] as const;
  const [fuse, joined] = reader.of('feature_fuse.conv.0.weight', 4) as [number, number];
  const inputs = joined / decoder[4];
  if (!Number.isInteger(inputs) || inputs < 2 || inputs % 2 !== 0) {
    throw invalid(
      file,
      `the tensor feature_fuse.conv.0.weight should have an even multiple of ${decoder[4]} input channels, not ${joined}`,
    );
  }
  const [outputs] = reader.of('outconv.1.weight', 4) as [number];
  if (outputs < 3 || outputs % 3 !== 0) {
    throw invalid(file, `the tensor outconv.1.weight should have 3(k-1) output channels, not ${outputs}`);
  }
  const stages = [1, 2, 3, 4].map((layer) => reader.of(`encoder.layer${layer}.0.conv1.0.weight`, 5)[0]!);
  return {
    encoder: time === 3 ? 'r3d' : 'r2d',
    blocks: [1, 2, 3, 4].map((layer) => countBlocks(reader, layer)) as unknown as ModelConfig['blocks'],
    widths: { stem, stages: stages as unknown as ModelConfig['widths']['stages'], decoder, fuse },
    inputs,
    factor: outputs / 3 + 1,
    upsampling,
    batchNorm: reader.has('encoder.stem.1.running_mean'),
    gating: [...reader.evidence.shapes.keys()].some((name) => name.includes('.attn_layer.')),
  };
}

function countBlocks(reader: ShapeReader, layer: number): number {
  let blocks = 0;
  while (reader.has(`encoder.layer${layer}.${blocks}.conv1.0.weight`)) blocks++;
  return blocks;
}

/** A transposed convolution that doubles time has a kernel of 4 there; trilinear upsampling leaves no trace. */
function possibleReductions(reader: ShapeReader, upsampling: Upsampling): readonly TemporalReduction[] {
  if (upsampling === 'trilinear') return CHOICES.temporal;
  return reader.of('decoder.1.upconv.0.weight', 5)[2] === 4 ? ['stride', 'pool'] : ['none'];
}

function possibleFusions(reader: ShapeReader, shape: ShapeConfig): Fusion[] {
  const { decoder } = shape.widths;
  const received =
    shape.upsampling === 'transpose'
      ? reader.of('decoder.1.upconv.0.weight', 5)[0]!
      : reader.of('decoder.1.upconv.1.weight', 5)[1]!;
  if (received !== decoder[0]) return ['concat'];
  const addable = skipWidths(shape as ModelConfig).every((width, stage) => width === decoder[stage]);
  return addable ? ['add', 'none'] : ['none'];
}

/** Upstream's metadata keys for the three fields that shapes may leave open. */
const METADATA_KEYS = { fusion: 'joinType', temporal: 'temporal', residual: 'residual' } as const;

function settler({ name, metadata }: ModelEvidence, options: ModelOptions) {
  return <F extends keyof typeof METADATA_KEYS>(field: F, possible: readonly ModelConfig[F][]) => {
    const open = possible.length > 1;
    const key = METADATA_KEYS[field];
    const stated = Object.hasOwn(metadata, key) ? metadata[key] : undefined;
    const option: unknown = options[field];
    const allowed = (value: unknown): value is ModelConfig[F] => possible.includes(value as ModelConfig[F]);
    if (stated !== undefined && !allowed(stated)) {
      throw invalid(name, `its metadata says ${key}=${stated}, but its tensors allow ${possible.join(' or ')}`);
    }
    if (option !== undefined) {
      if (!allowed(option) || (stated !== undefined && option !== stated)) {
        throw new FlavrError(
          'BAD_ARGUMENT',
          `The option ${field}: ${option} contradicts ${name}, which says ${stated ?? possible.join(' or ')}. Leave it out.`,
        );
      }
    }
    const decided = (value: ModelConfig[F], by: DecidedBy) => ({ value, by });
    if (!open) return decided(possible[0]!, 'tensors');
    if (stated !== undefined) return decided(stated, 'metadata');
    if (option !== undefined) return decided(option, 'option');
    if (field === 'temporal' && !allowed('none')) {
      throw invalid(
        name,
        'its decoder doubles time, but nothing says how its encoder halves it; state temporal: stride or pool',
      );
    }
    return decided(possible[0]!, 'default');
  };
}

function checkLimits(file: string, config: ModelConfig): void {
  const { stem, stages, decoder, fuse } = config.widths;
  const claims = [
    ['width', Math.min(stem, ...stages, ...decoder, fuse), Math.max(stem, ...stages, ...decoder, fuse)],
    ['blocks', 1, Math.max(...config.blocks)],
    ['inputs', config.inputs, config.inputs],
    ['outputs', config.factor - 1, config.factor - 1],
  ] as const;
  for (const [what, least, most] of claims) {
    if (least < 1 || most > LIMITS[what]) {
      throw invalid(
        file,
        `a FLAVR network of ${what} ${least < 1 ? least : most} makes no sense; ${LIMITS[what]} is the most`,
      );
    }
  }
  if (config.temporal !== 'none' && config.inputs % 4 !== 0) {
    throw invalid(file, `it halves time twice, which needs a multiple of 4 inputs, not ${config.inputs}`);
  }
}

/** Metadata that the tensors make superfluous must agree with them: a file that contradicts itself is damaged. */
function checkMetadata({ name, metadata }: ModelEvidence, config: ModelConfig): void {
  const truth: Record<string, readonly string[]> = {
    nbr_frame: [String(config.inputs)],
    n_outputs: [String(config.factor - 1)],
    factor: [String(config.factor)],
    upmode: config.upsampling === 'transpose' ? ['transpose'] : ['upsample', 'trilinear'],
    batchnorm: config.batchNorm ? ['True', 'true'] : ['False', 'false'],
  };
  for (const [key, values] of Object.entries(truth)) {
    if (Object.hasOwn(metadata, key) && !values.includes(metadata[key]!)) {
      throw invalid(name, `its metadata says ${key}=${metadata[key]}, but its tensors say ${values[0]}`);
    }
  }
}

function checkTensors({ name: file, shapes }: ModelEvidence, config: ModelConfig): void {
  const expected = expectedTensors(config);
  let parameters = 0;
  for (const [name, { shape, optional }] of expected) {
    const found = shapes.get(name);
    if (!found && optional) continue;
    if (!found) throw invalid(file, `the tensor ${name} of shape [${shape}] is missing`);
    if (found.length !== shape.length || found.some((side, axis) => side !== shape[axis])) {
      throw invalid(file, `the tensor ${name} should have shape [${shape}] but has [${found}]`);
    }
    parameters += elementCount(shape);
  }
  for (const [name, shape] of shapes) {
    if (!expected.has(name))
      throw invalid(file, `the tensor ${name} of shape [${shape}] is in no FLAVR network of this kind`);
  }
  if (parameters > LIMITS.parameters) {
    throw invalid(file, `it has ${parameters} parameters; ${LIMITS.parameters} is the most`);
  }
}
