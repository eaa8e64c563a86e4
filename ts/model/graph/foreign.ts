import { createHash } from 'node:crypto';
import { FlavrError } from '../../errors.js';
import type { GraphModel } from '../config.js';
import { ElementType, type OnnxModel, type ValueInfo } from '../onnx/proto.js';
import { decodeModel } from '../onnx/reader.js';
import type { GraphBuilder, Value } from './builder.js';
import { joinTime } from './layers.js';

/** Where a foreign graph takes its window and how it gives its frames. */
export interface ForeignLayout {
  readonly inputs: number;
  readonly factor: number;
  readonly height: number;
  readonly width: number;
  /** Names of one input [1, 3, 2C, H, W], or of 2C inputs [1, 3, H, W]. */
  readonly inputNames: readonly string[];
  /** Names of k-1 outputs [1, 3, H, W], or of one that holds all frames. */
  readonly outputNames: readonly string[];
}

/**
 * Reads a FLAVR graph that someone exported themselves: float32, fixed sizes that are multiples of 8, one input
 * [1, 3, 2C, H, W] or 2C inputs [1, 3, H, W] in [0, 1]; k-1 outputs [1, 3, H, W], one [1, 3(k-1), H, W] or one
 * [1, k-1, 3, H, W].
 * @param name what messages and statistics call it; the file's base name is a good one.
 * @throws FlavrError `GRAPH_INVALID` saying what was expected and what the file has.
 */
export function readGraphModel(bytes: Uint8Array, name: string): GraphModel {
  const graph = decodeModel(bytes);
  const { inputs, factor, height, width } = foreignLayout(graph, name);
  return {
    kind: 'graph',
    inputs,
    factor,
    height,
    width,
    bytes,
    name,
    hash: createHash('sha256').update(bytes).digest('hex'),
    metadata: graph.metadata,
  };
}

/** Checks a foreign graph's inputs, outputs and operators. */
export function foreignLayout(graph: OnnxModel, name: string): ForeignLayout {
  const refuse = (what: string) => new FlavrError('GRAPH_INVALID', `${name} cannot be used as a FLAVR graph: ${what}.`);
  checkOperators(graph, refuse);

  // Old exporters list constants among the inputs, too.
  const constants = new Set(graph.initializers.map((initializer) => initializer.name));
  const inputs = graph.inputs.filter((input) => !constants.has(input.name));
  checkNames(graph, inputs, refuse);
  const window = windowOf(inputs);
  if (window === undefined) {
    if ((graph.metadata['flavr.form'] ?? 'raw') !== 'raw') {
      throw refuse(
        'flavr wrote it, with frames of bytes in and out; give the model that it was made of, or what "flavr export --raw" writes',
      );
    }
    throw refuse(
      `expected one float input [1,3,2C,H,W] or 2C of them [1,3,H,W], 2C even and all sizes fixed; found ${list(inputs)}`,
    );
  }
  const { height, width } = window;
  if (height % 8 !== 0 || width % 8 !== 0) {
    throw refuse(`its height and width must be multiples of 8; they are ${height} and ${width}`);
  }
  const frames = framesOf(graph.outputs, height, width);
  if (frames === undefined) {
    throw refuse(
      `expected k-1 float outputs [1,3,${height},${width}], or one [1,3(k-1),${height},${width}] or [1,k-1,3,${height},${width}]; found ${list(graph.outputs)}`,
    );
  }
  return {
    ...window,
    factor: frames + 1,
    inputNames: inputs.map((input) => input.name),
    outputNames: graph.outputs.map((output) => output.name),
  };
}

function checkOperators(graph: OnnxModel, refuse: (what: string) => FlavrError): void {
  const opset = graph.opsets.get('') ?? 0;
  // Clip and Pad take their limits as inputs from 11 on.
  if (opset < 11) throw refuse(`it is written in operator set ${opset}; export it with 11 or newer`);
  for (const { op, domain, attributes } of graph.nodes) {
    if (domain !== '' && graph.functions.length === 0) {
      throw refuse(`it uses the operator ${domain}.${op}, which is not ONNX's own`);
    }
    for (const attribute of attributes.values()) {
      if (attribute.kind === 'other' && attribute.graph) throw refuse(`it has control flow (${op}); export it traced`);
    }
  }
}

/** Every value is made once, and every output is made. */
function checkNames(graph: OnnxModel, inputs: readonly ValueInfo[], refuse: (what: string) => FlavrError): void {
  const made = new Set<string>();
  const values = [...inputs, ...graph.initializers].map(({ name }) => name);
  for (const name of [...values, ...graph.nodes.flatMap(({ outputs }) => outputs)]) {
    if (name !== '' && made.has(name)) throw refuse(`it makes the value ${name} twice`);
    made.add(name);
  }
  const lost = graph.outputs.find(({ name }) => !made.has(name));
  if (lost) throw refuse(`nothing in it makes its output ${lost.name}`);
}

const isFixed = (shape: ValueInfo['shape'], expected: readonly (number | undefined)[]): shape is readonly number[] =>
  shape.length === expected.length &&
  shape.every((size, i) => typeof size === 'number' && size > 0 && (expected[i] ?? size) === size);

function windowOf(inputs: readonly ValueInfo[]): Pick<ForeignLayout, 'inputs' | 'height' | 'width'> | undefined {
  const [first] = inputs;
  if (first === undefined || inputs.some(({ type }) => type !== ElementType.float32)) return undefined;
  const single = inputs.length === 1 && isFixed(first.shape, [1, 3, undefined, undefined, undefined]);
  if (!single && !inputs.every(({ shape }) => isFixed(shape, [1, 3, ...first.shape.slice(2, 4)] as number[]))) {
    return undefined;
  }
  const [count, height, width] = (single ? first.shape.slice(2) : [inputs.length, ...first.shape.slice(2)]) as number[];
  if (count === undefined || count % 2 !== 0 || height === undefined || width === undefined) return undefined;
  return { inputs: count, height, width };
}

/** k-1, if the outputs have one of the known layouts. */
function framesOf(outputs: readonly ValueInfo[], height: number, width: number): number | undefined {
  const [first] = outputs;
  if (first === undefined || outputs.some(({ type }) => type !== ElementType.float32)) return undefined;
  if (outputs.every(({ shape }) => isFixed(shape, [1, 3, height, width]))) return outputs.length;
  if (outputs.length > 1) return undefined;
  if (isFixed(first.shape, [1, undefined, 3, height, width])) return first.shape[1];
  if (isFixed(first.shape, [1, undefined, height, width]) && first.shape[1]! % 3 === 0) return first.shape[1]! / 3;
  return undefined;
}

const list = (values: readonly ValueInfo[]): string =>
  values.map(({ name, shape }) => `${name} [${shape.map((size) => size || '?')}]`).join(', ') || 'none';

/**
 * Puts a foreign graph between what the builder has made and what it will make.
 * @param frames of the window, each float32 [1, 3, H, W] in [0, 1].
 * @returns the frames of instants that k = `factor` needs, float32 [1, k-1, 3, H, W].
 */
export function embedForeign(
  b: GraphBuilder,
  graph: OnnxModel,
  layout: ForeignLayout,
  frames: readonly Value[],
  factor: number,
): Value {
  const { height, width, inputNames, outputNames } = layout;
  const fed = inputNames.length === 1 ? [joinTime(b, 'window', frames)] : frames;
  const inputs = new Map(inputNames.map((name, i) => [name, fed[i]!]));
  const step = layout.factor / factor;
  if (outputNames.length > 1) {
    const taken = outputNames.filter((_, i) => (i + 1) % step === 0);
    const outputs = b.embed(graph, inputs, taken);
    return b.concat(
      'network',
      outputs.map((value, i) => b.reshape(`network.${i}`, value, [1, 1, 3, height, width])),
      1,
    );
  }
  const [output] = b.embed(graph, inputs, outputNames);
  const all = b.reshape('network.all', output!, [1, layout.factor - 1, 3, height, width]);
  const taken = Array.from({ length: factor - 1 }, (_, i) => (i + 1) * step - 1);
  if (step === 1) return all;
  return b.concat(
    'network',
    taken.map((frame) => b.slice(`network.${frame}`, all, 1, frame, frame + 1)),
    1,
  );
}
