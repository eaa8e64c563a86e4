import { ElementType } from '../onnx/proto.js';
import { elementCount } from '../shape.js';
import type { GraphBuilder, Value } from './builder.js';
import { LEAK } from './network.js';
import type { Affine, Kernel } from './weights.js';

// Parts of the network that are the same in both lowerings.

/** Frames [B, C, H, W] as one activation [B, C, T, H, W]. */
export function joinTime(b: GraphBuilder, name: string, frames: readonly Value[]): Value {
  const steps = frames.map((frame, t) => {
    const [batch, channels, height, width] = frame.shape as [number, number, number, number];
    return b.reshape(`${name}.step${t}`, frame, [batch, channels, 1, height, width]);
  });
  return b.concat(name, steps, 2);
}

export function bias(b: GraphBuilder, kernel: Kernel, type: ElementType): Value[] {
  const values = kernel.bias;
  return values ? [b.weight(`${kernel.name}.bias`, type, [values.length], () => values)] : [];
}

export const leakyRelu = (b: GraphBuilder, name: string, x: Value): Value =>
  b.elementwise('LeakyRelu', name, [x], { alpha: LEAK });

/**
 * The factors of a gate from all channels' means [B, C, 1…], times the scale of the norm behind it. Means and what follows
 * are float32 in every precision: a mean over millions of values loses too much in half. The 1x1 convolution is a 2-D one in
 * both lowerings, because TensorRT-RTX has no float32 3-D convolution for compute capability 7.5.
 */
export function gateFactors(
  b: GraphBuilder,
  name: string,
  mean: Value,
  kernel: Kernel,
  norm: Affine | undefined,
): Value {
  const [out, channels] = kernel.shape as [number, number];
  const weight = b.weight(`${kernel.name}.weight`, ElementType.float32, [out, channels, 1, 1], kernel.weight);
  const flat = mean.shape.length === 4 ? mean : b.reshape(`${name}.flat`, mean, [mean.shape[0]!, channels, 1, 1]);
  const inputs = [flat, weight, ...bias(b, kernel, ElementType.float32)];
  const logits = b.node('Conv', `${name}.logits`, inputs, flat.shape);
  let factors = b.elementwise('Sigmoid', `${name}.factors`, [logits]);
  if (norm) {
    const scale = perChannel(b, `${name}.norm.scale`, norm.scale, factors);
    factors = b.elementwise('Mul', `${name}.scaled-factors`, [factors, scale]);
  }
  return flat === mean ? factors : b.reshape(`${name}.spread`, factors, mean.shape);
}

/** A vector with one value for each channel, in the shape that broadcasts over `like`. */
export function perChannel(b: GraphBuilder, name: string, values: Float32Array, like: Value): Value {
  const shape = [1, values.length, ...like.shape.slice(2).map(() => 1)];
  return b.weight(name, like.type, shape, () => values);
}

// ONNX Runtime's blocked convolutions take outputs in groups of 16: 93 of them cost a third more than 96.
const OUTPUT_GROUP = 16;

/** The network's last convolution, over an image [B, C, H, W] with H and W of at least 8. */
export function head(b: GraphBuilder, name: string, x: Value, kernel: Kernel): Value {
  const [batch, , height, width] = x.shape as [number, number, number, number];
  const outputs = kernel.shape[0]!;
  const rounded = outputs > OUTPUT_GROUP ? roundedOutputs(outputs) : outputs;
  const shape = [rounded, ...kernel.shape.slice(1)];
  const weight = b.weight(`${kernel.name}.weight`, x.type, shape, () => extended(kernel.weight(), elementCount(shape)));
  const offset = kernel.bias;
  const biases = offset ? [b.weight(`${kernel.name}.bias`, x.type, [rounded], () => extended(offset, rounded))] : [];
  const y = b.node(
    'Conv',
    `${name}.conv`,
    [b.reflect(`${name}.pad`, x, 3), weight, ...biases],
    [batch, rounded, height, width],
  );
  return b.slice(`${name}.outputs`, y, 1, 0, outputs);
}

/**
 * The same, where H and W are even, for few outputs: those of each two rows and columns are outputs of one convolution 8x8
 * of stride 2, which fill a group that one position's would leave mostly empty. Undefined where that saves less than half.
 */
export function headByFours(b: GraphBuilder, name: string, x: Value, kernel: Kernel): Value | undefined {
  const [batch, channels, height, width] = x.shape as [number, number, number, number];
  const [outputs, , side] = kernel.shape as [number, number, number];
  const rounded = roundedOutputs(4 * outputs);
  if (rounded * (side + 1) ** 2 > 2 * roundedOutputs(outputs) * side ** 2) return undefined;
  const shape = [rounded, channels, side + 1, side + 1];
  const weight = b.weight(`${kernel.name}.weight.by-fours`, x.type, shape, () => byFours(kernel, shape));
  const offset = kernel.bias;
  const biases = offset
    ? [
        b.weight(`${kernel.name}.bias.by-fours`, x.type, [rounded], () =>
          Float32Array.from({ length: rounded }, (_, i) => (i < 4 * outputs ? offset[i % outputs]! : 0)),
        ),
      ]
    : [];
  const inputs = [b.reflect(`${name}.pad`, x, 3), weight, ...biases];
  const y = b.node('Conv', `${name}.conv`, inputs, [batch, rounded, height / 2, width / 2], { strides: [2, 2] });
  const fours = b.slice(`${name}.fours`, y, 1, 0, 4 * outputs);
  return b.node('DepthToSpace', `${name}.outputs`, [fours], [batch, outputs, height, width], { blocksize: 2 });
}

const roundedOutputs = (outputs: number): number => Math.ceil(outputs / OUTPUT_GROUP) * OUTPUT_GROUP;

/** The kernels four times, each shifted to one of a position's four. */
function byFours({ shape, weight }: Kernel, to: readonly number[]): Float32Array {
  const [outputs, channels, side] = shape as [number, number, number];
  const from = weight();
  const wide = side + 1;
  const values = new Float32Array(elementCount(to));
  for (let four = 0; four < 4; four++) {
    for (let plane = 0; plane < outputs * channels; plane++) {
      for (let row = 0; row < side; row++) {
        const start = (plane * side + row) * side;
        const at = ((four * outputs * channels + plane) * wide + row + (four >> 1)) * wide + (four & 1);
        values.set(from.subarray(start, start + side), at);
      }
    }
  }
  return values;
}

function extended(values: Float32Array, length: number): Float32Array {
  if (values.length === length) return values;
  const longer = new Float32Array(length);
  longer.set(values);
  return longer;
}
