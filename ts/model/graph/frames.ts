import type { Residual } from '../config.js';
import { ElementType } from '../onnx/proto.js';
import type { GraphBuilder, Value } from './builder.js';

/** What every form of graph is made for: sizes as handed in, and 2C. */
export interface Geometry {
  readonly batch: number;
  readonly inputs: number;
  readonly height: number;
  readonly width: number;
}

/** The network halves each side three times. */
const MULTIPLE = 8;

export const paddedSize = (size: number): number => Math.ceil(size / MULTIPLE) * MULTIPLE;

// Device addresses must be multiples of 256; a ring's slots therefore are, too.
const ADDRESS_UNIT = 256;

export const ringStride = (frameBytes: number): number => Math.ceil(frameBytes / ADDRESS_UNIT) * ADDRESS_UNIT;

/** The frames of input `frames`, float32 [B, 3, 2C, H, W] in [0, 1], each as [B, 3, H, W]. */
export function rawFrames(b: GraphBuilder, { batch, inputs, height, width }: Geometry): Value[] {
  const window = b.input('frames', ElementType.float32, [batch, 3, inputs, height, width]);
  return Array.from({ length: inputs }, (_, t) =>
    b.reshape(`frames.t${t}`, b.slice(`frames.t${t}.slice`, window, 2, t, t + 1), [batch, 3, height, width]),
  );
}

/**
 * The frames of inputs `frame0` … as float32 [B, 3, H', W'] in [0, 1], padded at the right and bottom to multiples of 8.
 * @param stride bytes from frame to frame: H*W*3 for inputs [B, H, W, 3], more for the ring form's [B, stride].
 */
export function byteFrames(b: GraphBuilder, geometry: Geometry, stride: number, ring: boolean): Value[] {
  const { batch, inputs, height, width } = geometry;
  const size = height * width * 3;
  const scale = b.scalar('1/255', 1 / 255);
  return Array.from({ length: inputs }, (_, t) => {
    const name = `frame${t}`;
    const bytes = b.input(name, ElementType.uint8, ring ? [batch, stride] : [batch, height, width, 3]);
    // TensorRT can do nothing with bytes but cast them.
    let frame = b.cast(`${name}.float`, bytes, ElementType.float32);
    if (ring) {
      frame = b.reshape(`${name}.rows`, b.slice(`${name}.slot`, frame, 1, 0, size), [batch, height, width, 3]);
    }
    const planes = b.transpose(`${name}.planes`, frame, [0, 3, 1, 2]);
    return pad(b, name, b.elementwise('Mul', `${name}.unit`, [planes, scale]));
  });
}

/** Reflects at the right and bottom; a side too short for that has its edge repeated. */
function pad(b: GraphBuilder, name: string, x: Value): Value {
  const sides = [
    { axis: 2, what: 'height' },
    { axis: 3, what: 'width' },
  ].map((side) => ({ ...side, extra: paddedSize(x.shape[side.axis]!) - x.shape[side.axis]! }));
  return sides.reduce((value, { axis, what, extra }) => {
    if (extra === 0) return value;
    const shape = value.shape.with(axis, value.shape[axis]! + extra);
    const pads = b.indices(Array.from({ length: 8 }, (_, i) => (i === 4 + axis ? extra : 0)));
    const mode = extra < value.shape[axis]! ? 'reflect' : 'edge';
    return b.node('Pad', `${name}.pad-${what}`, [value, pads], shape, { mode });
  }, x);
}

/** Mean colour of the whole window, [B, 3, 1, 1] in float32. */
export function clipMean(b: GraphBuilder, frames: readonly Value[]): Value {
  const means = frames.map((frame, t) => b.globalMean(`clip-mean.t${t}`, frame));
  return b.elementwise('Mean', 'clip-mean', means);
}

/** The frames less the clip's mean, in the network's element type. */
export function centred(b: GraphBuilder, frames: readonly Value[], mean: Value, type: ElementType): Value[] {
  return frames.map((frame, t) => b.cast(`window.t${t}`, b.elementwise('Sub', `centred.t${t}`, [frame, mean]), type));
}

/**
 * The network's output [B, 3(k-1), H', W'] with the residual added in float32, as [B, k-1, 3, H', W'].
 * @param mean the clip's mean colour.
 */
export function addResidual(
  b: GraphBuilder,
  output: Value,
  kind: Residual,
  frames: readonly Value[],
  mean: Value,
): Value {
  const [batch, channels, height, width] = output.shape as [number, number, number, number];
  const count = channels / 3;
  const float = b.cast('network.float', output, ElementType.float32);
  const network = b.reshape('network', float, [batch, count, 3, height, width]);
  if (kind === 'mean') {
    return b.elementwise('Add', 'unit', [network, b.reshape('residual', mean, [batch, 1, 3, 1, 1])]);
  }
  // The linear blend of the two middle frames at the outputs' instants.
  const [before, after] = [frames.length / 2 - 1, frames.length / 2].map((t) =>
    b.reshape(`blend.${t}`, frames[t]!, [batch, 1, 3, height, width]),
  ) as [Value, Value];
  const instants = Float32Array.from({ length: count }, (_, i) => (i + 1) / (count + 1));
  const weight = (which: string, values: Float32Array) =>
    b.weight(`blend.${which}`, ElementType.float32, [1, count, 1, 1, 1], () => values);
  const parts = [
    b.elementwise('Mul', 'blend.before', [
      before,
      weight(
        '1-t',
        instants.map((t) => 1 - t),
      ),
    ]),
    b.elementwise('Mul', 'blend.after', [after, weight('t', instants)]),
  ];
  return b.elementwise('Add', 'unit', [network, b.elementwise('Add', 'residual', parts)]);
}

const cropped = (b: GraphBuilder, unit: Value, height: number, width: number): Value =>
  b.crop('output.crop', unit, [
    [3, 0, height],
    [4, 0, width],
  ]);

/** Crops [B, k-1, 3, H', W'] to the frame and makes it the output `interpolated`. */
export function floatOutput(b: GraphBuilder, unit: Value, { height, width }: Geometry): void {
  const frames = cropped(b, unit, height, width);
  b.output(b.node('Identity', 'interpolated', [frames], frames.shape));
}

/**
 * Crops [B, k-1, 3, H', W'] to the frame and makes the outputs `interpolated`, uint8 [B, k-1, H, W, 3], and `peak`,
 * float32 [B], the largest magnitude before the clamp (infinite where a value is not a number).
 */
export function byteOutputs(b: GraphBuilder, unit: Value, { batch, height, width }: Geometry): void {
  const count = unit.shape[1]!;
  const frames = cropped(b, unit, height, width);
  const scaled = b.elementwise('Mul', 'output.scaled', [frames, b.scalar('255', 255)]);
  const clamped = b.elementwise('Clip', 'output.clamped', [scaled, b.scalar('0', 0), b.scalar('255', 255)]);
  // Round is half to even; a cast alone would truncate.
  const rounded = b.elementwise('Round', 'output.rounded', [clamped]);
  const pixels = b.transpose('output.pixels', rounded, [0, 1, 3, 4, 2]);
  b.output(b.cast('interpolated', pixels, ElementType.uint8));

  // Maximum operators differ in what they do with NaN: it is made infinite first.
  const magnitude = b.elementwise('Abs', 'peak.magnitude', [frames]);
  const nan = b.elementwise('IsNaN', 'peak.nan', [frames], {}, ElementType.bool);
  const infinity = b.scalar('infinity', Number.POSITIVE_INFINITY);
  const finite = b.elementwise('Where', 'peak.finite', [nan, infinity, magnitude], {}, ElementType.float32);
  const rows = b.reshape('peak.rows', finite, [batch, 1, count * 3 * height, width]);
  const peak = b.node('GlobalMaxPool', 'peak.max', [rows], [batch, 1, 1, 1]);
  b.output(b.reshape('peak', peak, [batch]));
}
