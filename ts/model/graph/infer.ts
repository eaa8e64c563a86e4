import type { GraphNode, OnnxModel } from '../onnx/proto.js';
import { CostCount, type Extent } from './cost.js';

type Shape = readonly number[];

/**
 * Shapes of a foreign graph's values, as far as the file states them or the operators that FLAVR exports use tell them. For
 * estimates only: what stays unknown is left out, and a runtime infers its own.
 */
export function inferShapes(graph: OnnxModel): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const { name, shape } of [...graph.inputs, ...graph.outputs, ...graph.values]) {
    if (shape.every((size) => typeof size === 'number')) shapes.set(name, shape as Shape);
  }
  for (const { name, shape } of graph.initializers) shapes.set(name, shape);
  for (const node of graph.nodes) {
    const inputs = node.inputs.map((name) => shapes.get(name));
    const known = (RULES[node.op] ?? broadcast)(inputs, node);
    for (const name of node.outputs) if (known && !shapes.has(name)) shapes.set(name, known);
  }
  return shapes;
}

/** Multiply-adds of a graph's convolutions. */
export function countConvolutions(graph: OnnxModel, shapes: ReadonlyMap<string, Shape>): CostCount {
  const cost = new CostCount();
  for (const { name, op, inputs, outputs, attributes } of graph.nodes) {
    const [x, kernel, y] = [inputs[0], inputs[1], outputs[0]].map((value) => shapes.get(value ?? ''));
    if ((op !== 'Conv' && op !== 'ConvTranspose') || !x || !kernel || !y) continue;
    const shape = withTime(kernel);
    const strides = ints(attributes, 'strides') ?? [1];
    const stride = { time: x.length === 5 ? strides[0]! : 1, space: strides.at(-1)! };
    if (op === 'ConvTranspose') {
      cost.deconv(name, extent(x), { shape }, stride.time);
    } else {
      // From the output's size: padding may be a node of its own in front.
      const { time, height, width } = extent(y);
      const size = { time: time * stride.time, height: height * stride.space, width: width * stride.space };
      cost.conv(name, { channels: x[1]!, ...size }, { shape }, stride);
    }
  }
  return cost;
}

/** An image is an activation of one step. */
const withTime = (shape: Shape): Shape => (shape.length === 4 ? shape.toSpliced(2, 0, 1) : shape);

function extent(shape: Shape): Extent {
  const [, channels, time, height, width] = withTime(shape) as [number, number, number, number, number];
  return { channels, time, height, width };
}

type Rule = (inputs: readonly (Shape | undefined)[], node: GraphNode) => Shape | undefined;

const image = (shape: Shape, channels: number, side: (size: number, i: number) => number): Shape => [
  shape[0]!,
  channels,
  ...shape.slice(2).map(side),
];
const globalMean: Rule = ([x]) => x && image(x, x[1]!, () => 1);

// Only as much as FLAVR needs: padding that keeps the size at stride 1, splits and squeezes of the time axis alone.
const RULES: Readonly<Record<string, Rule>> = {
  Conv: ([x, kernel], { attributes }) => {
    const strides = ints(attributes, 'strides');
    return x && kernel && image(x, kernel[0]!, (size, i) => Math.ceil(size / (strides?.[i] ?? 1)));
  },
  ConvTranspose: ([x, kernel], { attributes }) => {
    const strides = ints(attributes, 'strides');
    return x && kernel && image(x, kernel[1]!, (size, i) => size * (strides?.[i] ?? 1));
  },
  GlobalAveragePool: globalMean,
  ReduceMean: globalMean,
  Pad: ([x]) => x,
  Split: ([x], { outputs }) => x?.with(2, x[2]! / outputs.length),
  Squeeze: ([x]) => x?.toSpliced(2, 1),
  Unsqueeze: ([x]) => x?.toSpliced(2, 0, 1),
  Concat: (inputs, { attributes }) => {
    const first = inputs[0];
    const axis = attributes.get('axis');
    if (first === undefined || inputs.includes(undefined) || axis?.kind !== 'int') return undefined;
    const size = inputs.reduce((sum, shape) => sum + shape!.at(axis.value)!, 0);
    return first.with(axis.value, size);
  },
  // What these make depends on values; where they hold activations, the file states the shape.
  ...Object.fromEntries(
    ['Reshape', 'Slice', 'Gather', 'Transpose', 'Resize', 'Constant', 'ConstantOfShape', 'Shape'].map(
      (op): [string, Rule] => [op, () => undefined],
    ),
  ),
};

function ints(attributes: GraphNode['attributes'], name: string): readonly number[] | undefined {
  const attribute = attributes.get(name);
  return attribute?.kind === 'ints' ? attribute.value : undefined;
}

/** Elementwise operators: the shape that all inputs broadcast to. */
function broadcast(inputs: readonly (Shape | undefined)[]): Shape | undefined {
  if (inputs.length === 0 || inputs.includes(undefined)) return undefined;
  const shapes = inputs as readonly Shape[];
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) =>
    Math.max(...shapes.map((shape) => shape[axis - rank + shape.length] ?? 1)),
  );
}
