import type { FedKernel, Precision } from '../graph-spec.js';
import { toHalf } from '../onnx/half.js';
import {
  type Attribute,
  ElementType,
  type GraphNode,
  type Initializer,
  type OnnxModel,
  type ValueInfo,
} from '../onnx/proto.js';
import { elementCount } from '../shape.js';

/** A tensor of the graph under construction. Every size is fixed. */
export interface Value {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Of an activation in blocks of channels: how many stand side by side. */
  readonly block?: number | undefined;
}

/** Stands for an optional input that is left out. */
const ABSENT: Value = { name: '', type: ElementType.float32, shape: [] };

type AttributeInput = number | string | readonly number[];

/** The element type of activations and weights. */
export const computeType = (precision: Precision): ElementType =>
  precision === 'fp16' ? ElementType.float16 : ElementType.float32;

/** What a value of an embedded graph is called among the builder's own. An input left out stays so. */
export const embeddedName = (name: string): string => (name === '' ? '' : `model/${name}`);

// ONNX Runtime's own operators on activations in blocks of channels, by which its optimiser replaces ONNX's.
const BLOCKS_DOMAIN = 'com.microsoft.nchwc';

const bytesOf = (array: Float32Array | Uint16Array | BigInt64Array | Int8Array | Uint8Array): Uint8Array =>
  new Uint8Array(array.buffer, array.byteOffset, array.byteLength);

/**
 * Collects nodes, constants, inputs and outputs of one graph. A value carries the name of the layer that made it, so that
 * a profile, a test or a person with a viewer finds it.
 */
export class GraphBuilder {
  /** How many channels stand side by side in an activation's memory. */
  readonly block: number = 1;
  readonly nodes: GraphNode[] = [];
  readonly inputs: Value[] = [];
  readonly outputs: Value[] = [];
  /** Every value that a node makes, in order. */
  readonly values: Value[] = [];
  readonly fed: FedKernel[] = [];
  readonly #fedInputs: Value[] = [];
  readonly #initializers = new Map<string, Initializer>();
  readonly #names = new Set<string>();
  // The newest operator set that every supported TensorRT parses, and the IR version that belongs to it. What the builder
  // itself makes means the same from 11 on.
  #opsets: OnnxModel['opsets'] = new Map([['', 17]]);
  #irVersion = 8;
  #functions: OnnxModel['functions'] = [];
  readonly #embedded: ValueInfo[] = [];

  get initializers(): Initializer[] {
    return [...this.#initializers.values()];
  }

  input(name: string, type: ElementType, shape: readonly number[]): Value {
    const value = { name: this.#unique(name), type, shape };
    this.inputs.push(value);
    return value;
  }

  /** Adds a node with one output; `shape` is the output's, `type` by default the first input's. */
  node(
    op: string,
    name: string,
    inputs: readonly Value[],
    shape: readonly number[],
    attributes: Readonly<Record<string, AttributeInput>> = {},
    type: ElementType = inputs[0]!.type,
    domain = '',
  ): Value {
    const value = { name: this.#unique(name), type, shape };
    this.nodes.push({
      name: value.name,
      op,
      domain,
      inputs: inputs.map((input) => input.name),
      outputs: [value.name],
      attributes: new Map(Object.entries(attributes).map(([key, input]) => [key, attribute(input)])),
    });
    this.values.push(value);
    return value;
  }

  /** Adds a node of those that ONNX Runtime has for activations in blocks of channels, float32 all. */
  blocksNode(
    op: 'ReorderInput' | 'Conv' | 'GlobalAveragePool' | 'ReorderOutput',
    name: string,
    inputs: readonly Value[],
    shape: readonly number[],
    attributes: Readonly<Record<string, AttributeInput>> = {},
  ): Value {
    this.#opsets = new Map([...this.#opsets, [BLOCKS_DOMAIN, 1]]);
    return this.node(op, name, inputs, shape, attributes, ElementType.float32, BLOCKS_DOMAIN);
  }

  /** Declares the input for a kernel's weights, float32 of this shape. */
  feed(kernel: FedKernel, shape: readonly number[]): Value {
    const value = { name: this.#unique(kernel.input), type: ElementType.float32, shape };
    this.fed.push(kernel);
    this.#fedInputs.push(value);
    return value;
  }

  /** Declares the value under this name as an output of the graph. */
  output(value: Value): void {
    this.outputs.push(value);
  }

  /**
   * A constant of real numbers, float32 or rounded to half precision. Asked for again under the same name it is the same
   * constant; `data` is read when the graph is written.
   */
  weight(name: string, type: ElementType, shape: readonly number[], data: () => Float32Array): Value {
    return this.#initializer(name, type, shape, () => bytesOf(type === ElementType.float16 ? toHalf(data()) : data()));
  }

  /** A constant of bytes, signed or not. */
  bytes(name: string, type: ElementType, shape: readonly number[], data: () => Uint8Array | Int8Array): Value {
    return this.#initializer(name, type, shape, () => bytesOf(data()));
  }

  scalar(name: string, value: number, type: ElementType = ElementType.float32): Value {
    return this.weight(name, type, [], () => Float32Array.of(value));
  }

  /** A constant list of whole numbers, as Reshape, Slice and Pad take them. */
  indices(values: readonly number[]): Value {
    const data = BigInt64Array.from(values, BigInt);
    return this.#initializer(`indices[${values.join()}]`, ElementType.int64, [values.length], () => bytesOf(data));
  }

  cast(name: string, x: Value, type: ElementType): Value {
    return x.type === type ? x : this.node('Cast', name, [x], x.shape, { to: type }, type);
  }

  reshape(name: string, x: Value, shape: readonly number[]): Value {
    return this.node('Reshape', name, [x, this.indices(shape)], shape);
  }

  /** Elements `from` to `to` (exclusive) of one axis. */
  slice(name: string, x: Value, axis: number, from: number, to: number): Value {
    return this.crop(name, x, [[axis, from, to]]);
  }

  /** Elements `from` to `to` (exclusive) of several axes; `x` itself where that is all of it. */
  crop(name: string, x: Value, ranges: readonly (readonly [axis: number, from: number, to: number])[]): Value {
    const cut = ranges.filter(([axis, from, to]) => from !== 0 || to !== x.shape[axis]);
    if (cut.length === 0) return x;
    const shape = [...x.shape];
    for (const [axis, from, to] of cut) shape[axis] = to - from;
    const lists = [cut.map(([, from]) => from), cut.map(([, , to]) => to), cut.map(([axis]) => axis)];
    return this.node('Slice', name, [x, ...lists.map((list) => this.indices(list))], shape);
  }

  /** `parts` one after another along `axis`; a single part is itself. */
  concat(name: string, parts: readonly Value[], axis: number): Value {
    if (parts.length === 1) return parts[0]!;
    const shape = [...parts[0]!.shape];
    shape[axis] = parts.reduce((sum, part) => sum + part.shape[axis]!, 0);
    return this.node('Concat', name, parts, shape, { axis });
  }

  transpose(name: string, x: Value, perm: readonly number[]): Value {
    return this.node(
      'Transpose',
      name,
      [x],
      perm.map((axis) => x.shape[axis]!),
      { perm },
    );
  }

  /** Mean over all but batch and channel axes. */
  globalMean(name: string, x: Value): Value {
    return this.node('GlobalAveragePool', name, [x], [...x.shape.slice(0, 2), ...x.shape.slice(2).map(() => 1)]);
  }

  /** Heights and widths with so many rows and columns more at each side, reflected. */
  reflect(name: string, x: Value, margin: number): Value {
    const shape = x.shape.map((size, axis) => (axis === 2 || axis === 3 ? size + 2 * margin : size));
    const pads = [0, 1].flatMap(() => x.shape.map((_, axis) => (axis === 2 || axis === 3 ? margin : 0)));
    return this.node('Pad', name, [x, this.indices(pads)], shape, { mode: 'reflect' });
  }

  /** An activation with its channels in blocks, where the graph has them so. */
  blocked(x: Value): Value {
    return x;
  }

  /** The same in ONNX's own order. */
  ordered(x: Value): Value {
    return x;
  }

  /** Linear interpolation of the last two axes by these factors, half-pixel centres, edges repeated. */
  resize(name: string, x: Value, factors: readonly [number, number]): Value {
    const scales = Float32Array.of(1, 1, ...factors);
    const constant = this.weight(`scales[${scales.join()}]`, ElementType.float32, [4], () => scales);
    const shape = x.shape.map((size, axis) => size * scales[axis]!);
    // The region of interest, an optional input before the scales, is left out.
    return this.node('Resize', name, [x, ABSENT, constant], shape, {
      mode: 'linear',
      coordinate_transformation_mode: 'half_pixel',
    });
  }

  /** An elementwise operator of one or more inputs, with the shape that they broadcast to. */
  elementwise(
    op: string,
    name: string,
    inputs: readonly Value[],
    attributes: Readonly<Record<string, AttributeInput>> = {},
    type?: ElementType,
  ): Value {
    const rank = Math.max(...inputs.map((input) => input.shape.length));
    const shape = Array.from({ length: rank }, (_, axis) =>
      Math.max(...inputs.map((input) => input.shape[axis - rank + input.shape.length] ?? 1)),
    );
    return this.node(op, name, inputs, shape, attributes, type);
  }

  /**
   * Takes another graph's nodes and constants in, under names of their own, and with them its operator sets.
   * @param inputs by the graph's names.
   * @returns the values of `outputs`.
   */
  embed(graph: OnnxModel, inputs: ReadonlyMap<string, Value>, outputs: readonly string[]): Value[] {
    const inner = (name: string) => inputs.get(name)?.name ?? embeddedName(name);
    for (const { name, type, shape, data } of graph.initializers) {
      if (!inputs.has(name)) this.#initializer(embeddedName(name), type, shape, data);
    }
    for (const node of graph.nodes) {
      this.nodes.push({
        ...node,
        name: embeddedName(node.name),
        inputs: node.inputs.map(inner),
        outputs: node.outputs.map((name) => name && this.#unique(embeddedName(name))),
      });
    }
    for (const value of [...graph.values, ...graph.outputs]) {
      this.#embedded.push({ ...value, name: embeddedName(value.name) });
    }
    this.#opsets = graph.opsets;
    this.#irVersion = Math.max(this.#irVersion, graph.irVersion);
    this.#functions = graph.functions;
    return outputs.map((name) => {
      const { type, shape } = graph.outputs.find((output) => output.name === name)!;
      return { name: inner(name), type: type as ElementType, shape: shape as readonly number[] };
    });
  }

  finish(metadata: Readonly<Record<string, string>>): OnnxModel {
    const outputs = new Set(this.outputs);
    return {
      irVersion: this.#irVersion,
      opsets: this.#opsets,
      producer: 'flavr',
      metadata,
      name: 'flavr',
      inputs: [...this.inputs, ...this.#fedInputs],
      outputs: this.outputs,
      values: [...this.values.filter((value) => !outputs.has(value)), ...this.#embedded],
      nodes: this.nodes,
      initializers: this.initializers,
      functions: this.#functions,
    };
  }

  /** Puts a constant's values into another order; inputs of the graph come in the right one. */
  protected rearrange(name: string, order: (values: Float32Array) => Float32Array): void {
    const known = this.#initializers.get(name);
    if (!known) return;
    const inOrder = () => {
      const bytes = known.data();
      return order(new Float32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength / Float32Array.BYTES_PER_ELEMENT));
    };
    this.#initializers.set(name, { ...known, data: () => bytesOf(inOrder()) });
  }

  #initializer(name: string, type: ElementType, shape: readonly number[], data: () => Uint8Array): Value {
    const known = this.#initializers.get(name);
    if (known === undefined) this.#initializers.set(this.#unique(name), { name, type, shape, data });
    else if (known.type !== type || elementCount(known.shape) !== elementCount(shape)) {
      throw new Error(`constant ${name} is asked for in two forms`);
    }
    return { name, type, shape };
  }

  #unique(name: string): string {
    if (this.#names.has(name)) throw new Error(`two values are called ${name}`);
    this.#names.add(name);
    return name;
  }
}

function attribute(value: AttributeInput): Attribute {
  if (typeof value === 'string') return { kind: 'string', value };
  if (typeof value !== 'number') return { kind: 'ints', value };
  return Number.isInteger(value) ? { kind: 'int', value } : { kind: 'float', value };
}
