import type { ModelConfig } from './config.js';

/** A tensor that a network of some configuration has. */
export interface ExpectedTensor {
  readonly shape: readonly number[];
  /** A convolution's bias: there or not, as the file has it. */
  readonly optional: boolean;
}

/** Stages of the decoder that double height and width; the others keep the size. */
const UP_STAGES: readonly number[] = [1, 2, 4];

/** Spatial stride of the first block of each encoder stage. */
const STAGE_STRIDES = [1, 2, 2, 1] as const;

/** Channels of the encoder's activations that decoder stages 0 … 3 take in: layer3, layer2, layer1, stem. */
export function skipWidths({ widths: { stem, stages } }: ModelConfig): readonly [number, number, number, number] {
  return [stages[2], stages[1], stages[0], stem];
}

/** Input channels of the five decoder stages. */
function decoderInputs(config: ModelConfig): number[] {
  const { stages, decoder } = config.widths;
  const skips = skipWidths(config).map((width) => (config.fusion === 'concat' ? width : 0));
  return [stages[3], ...skips.map((skip, stage) => decoder[stage]! + skip)];
}

/** Whether the first block of an encoder stage (0 … 3) projects its input: where width or size changes. */
function hasShortcut({ widths }: ModelConfig, stage: number): boolean {
  const before = stage === 0 ? widths.stem : widths.stages[stage - 1];
  return STAGE_STRIDES[stage] !== 1 || before !== widths.stages[stage];
}

/**
 * Every tensor of a network, by upstream's state-dict name, with its shape. `num_batches_tracked` is no part of it.
 */
export function expectedTensors(config: ModelConfig): Map<string, ExpectedTensor> {
  const tensors = new Map<string, ExpectedTensor>();
  const weights = (name: string, shape: readonly number[], outputs: number) => {
    tensors.set(`${name}.weight`, { shape, optional: false });
    tensors.set(`${name}.bias`, { shape: [outputs], optional: true });
  };
  const conv = (name: string, outputs: number, inputs: number, kernel: readonly number[]) =>
    weights(name, [outputs, inputs, ...kernel], outputs);
  const norm = (name: string, channels: number) => {
    if (!config.batchNorm) return;
    for (const part of ['weight', 'bias', 'running_mean', 'running_var']) {
      tensors.set(`${name}.${part}`, { shape: [channels], optional: false });
    }
  };
  const gate = (name: string, channels: number) => {
    if (config.gating) conv(`${name}.attn_layer.0`, channels, channels, [1, 1, 1]);
  };

  const { stem, stages, decoder, fuse } = config.widths;
  const time = config.encoder === 'r3d' ? 3 : 1;
  conv('encoder.stem.0', stem, 3, [time, 7, 7]);
  norm('encoder.stem.1', stem);
  stages.forEach((width, stage) => {
    const before = stage === 0 ? stem : stages[stage - 1]!;
    for (let block = 0; block < config.blocks[stage]!; block++) {
      const name = `encoder.layer${stage + 1}.${block}`;
      conv(`${name}.conv1.0`, width, block === 0 ? before : width, [time, 3, 3]);
      norm(`${name}.conv1.1`, width);
      conv(`${name}.conv2.0`, width, width, [time, 3, 3]);
      norm(`${name}.conv2.1`, width);
      gate(`${name}.fg`, width);
      if (block === 0 && hasShortcut(config, stage)) {
        conv(`${name}.downsample.0`, width, before, [1, 1, 1]);
        norm(`${name}.downsample.1`, width);
      }
    }
  });

  const inputs = decoderInputs(config);
  decoder.forEach((width, stage) => {
    const up = UP_STAGES.includes(stage);
    const name = `decoder.${stage}.${up ? 'upconv' : 'conv'}`;
    // Trilinear upsampling is a module of its own in front of the convolution, so all that follows counts one more.
    const first = up && config.upsampling === 'trilinear' ? 1 : 0;
    if (!up) conv(`${name}.0`, width, inputs[stage]!, [3, 3, 3]);
    else if (first === 1) conv(`${name}.1`, width, inputs[stage]!, [1, 1, 1]);
    else weights(`${name}.0`, [inputs[stage]!, width, config.temporal !== 'none' && stage < 4 ? 4 : 3, 4, 4], width);
    gate(`${name}.${first + 1}`, width);
    norm(`${name}.${first + 2}`, width);
  });

  conv('feature_fuse.conv.0', fuse, config.inputs * decoder[4], [1, 1]);
  norm('feature_fuse.conv.1', fuse);
  conv('outconv.1', 3 * (config.factor - 1), fuse, [7, 7]);
  return tensors;
}
