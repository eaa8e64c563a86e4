import { ElementType, type GraphNode } from '../onnx/proto.js';
import { elementCount } from '../shape.js';
import { GraphBuilder, type Value } from './builder.js';

type Attributes = Parameters<GraphBuilder['node']>[4];

// What these do to the values of a tensor, or with its first axis, they do wherever a channel stands.
const OF_ANY_ORDER = new Set(['Relu', 'LeakyRelu', 'Reshape', 'MatMul', 'Transpose', 'Slice', 'Pad']);

/**
 * Writes a graph in the order in which ONNX Runtime convolves on a CPU, the channels of each position side by side in blocks,
 * as its optimiser would, and further: products with small matrices, gates and transpositions have activations in blocks too,
 * so that hardly any is ever put into another order.
 *
 * Shapes of values stay those of ONNX's order, [B, C, H, W]; in memory a value with a `block` is [B, C / block, H, W, block].
 * Who reshapes, multiplies by a matrix or transposes one must take what stands in a block along.
 */
export class BlockBuilder extends GraphBuilder {
  override readonly block: number;
  readonly #blocked = new Map<string, Value>();
  readonly #inOrder = new Map<string, Value>();
  readonly #reordered = new Set<string>();

  /** @param block how many channels ONNX Runtime has side by side on this processor. */
  constructor(block: number) {
    super();
    this.block = block;
  }

  override node(
    op: string,
    name: string,
    inputs: readonly Value[],
    shape: readonly number[],
    attributes: Attributes = {},
    type: ElementType = inputs[0]!.type,
    domain = '',
  ): Value {
    const plain = (values: readonly Value[]) => super.node(op, name, values, shape, attributes, type, domain);
    if (domain !== '') return plain(inputs);
    if (op === 'Conv') return this.#conv(name, inputs, shape, attributes) ?? plain(inputs.map((x) => this.ordered(x)));
    if (!inputs.some(({ block }) => block)) return plain(inputs);
    if (OF_ANY_ORDER.has(op)) return this.#inBlocks(plain(inputs));
    const [x, y] = inputs as [Value, Value];
    if (op === 'GlobalAveragePool') return this.blocksNode(op, name, inputs, shape);
    if (op === 'Concat' && inputs.every((value) => this.#fits(value))) {
      return this.#inBlocks(plain(inputs.map((value) => this.blocked(value))));
    }
    if (op === 'Add' || op === 'Mul') {
      const isScalar = (value: Value) => value.shape.length === 0;
      if (inputs.every((value) => isScalar(value) || String(value.shape) === String(shape))) {
        return this.#inBlocks(plain(inputs.map((value) => (isScalar(value) ? value : this.blocked(value)))));
      }
      if (x.block && String(y.shape) === String([1, x.shape[1], 1, 1])) return this.#perChannel(op, name, x, y);
    }
    return plain(inputs.map((value) => this.ordered(value)));
  }

  override crop(name: string, x: Value, ranges: readonly (readonly [axis: number, from: number, to: number])[]): Value {
    const cutAt = (axis: number) => ranges.some(([at, from, to]) => at === axis && to - from < x.shape[axis]!);
    if (!x.block || !(cutAt(1) || cutAt(2) || cutAt(3))) return super.crop(name, x, ranges);
    if (cutAt(1)) return super.crop(name, this.ordered(x), ranges);
    const cut = super.crop(`${name}.blocks`, this.#asBlocks(x), ranges);
    return this.reshape(name, cut, this.#shapeOf(cut));
  }

  override reflect(name: string, x: Value, margin: number): Value {
    if (!x.block) return super.reflect(name, x, margin);
    const blocks = super.reflect(`${name}.blocks`, this.#asBlocks(x), margin);
    return this.reshape(name, blocks, this.#shapeOf(blocks));
  }

  override output(value: Value): void {
    super.output(this.ordered(value));
  }

  override blocked(x: Value): Value {
    if (x.block || !this.#fits(x)) return x;
    return this.#once(this.#blocked, x, () =>
      this.#inBlocks(this.blocksNode('ReorderInput', `${x.name}.in-blocks`, [x], x.shape)),
    );
  }

  override ordered(x: Value): Value {
    if (!x.block) return x;
    return this.#once(this.#inOrder, x, () =>
      this.blocksNode('ReorderOutput', `${x.name}.in-order`, [x], x.shape, { channels: x.shape[1]! }),
    );
  }

  override finish(metadata: Readonly<Record<string, string>>): ReturnType<GraphBuilder['finish']> {
    fuse(this.nodes, new Set(this.values.filter(({ block }) => block).map(({ name }) => name)));
    const made = new Set(this.nodes.flatMap(({ outputs }) => outputs));
    this.values.splice(0, this.values.length, ...this.values.filter(({ name }) => made.has(name)));
    return super.finish(metadata);
  }

  #once(known: Map<string, Value>, x: Value, make: () => Value): Value {
    let value = known.get(x.name);
    if (!value) {
      // Of one position both orders are the same.
      value = x.shape.slice(2).every((side) => side === 1) ? { ...x, block: x.block ? undefined : this.block } : make();
      known.set(x.name, value);
    }
    return value;
  }

  /** Undefined where channels fill no blocks. */
  #conv(name: string, inputs: readonly Value[], shape: readonly number[], attributes: Attributes): Value | undefined {
    const [x, weight, ...bias] = inputs as [Value, Value, ...Value[]];
    const [out, channels] = weight.shape as [number, number];
    const { group = 1 } = attributes as { group?: number };
    const single = group === out;
    // A convolution of fewer channels than a block has takes them in ONNX's order.
    const few = group === 1 && channels < this.block;
    const fills = (count: number) => count % this.block === 0;
    if (!fills(out) || !(single || (fills(out / group) && (few || fills(channels))))) return undefined;
    if (!this.#reordered.has(weight.name)) {
      this.#reordered.add(weight.name);
      const ins = single || few ? 1 : this.block;
      this.rearrange(weight.name, (values) => weightsInBlocks(values, weight.shape, ins, this.block));
    }
    const input = few ? this.ordered(x) : this.blocked(x);
    return this.#inBlocks(this.blocksNode('Conv', name, [input, weight, ...bias], shape, attributes));
  }

  /** A convolution of each channel by itself, which ONNX Runtime adds and clips within. */
  #perChannel(op: 'Add' | 'Mul', name: string, x: Value, y: Value): Value {
    const channels = x.shape[1]!;
    const ones = () => new Float32Array(channels).fill(1);
    const inputs =
      op === 'Mul'
        ? [x, this.reshape(`${name}.factors`, y, [channels, 1, 1, 1])]
        : [
            x,
            this.weight(`ones[${channels}]`, ElementType.float32, [channels, 1, 1, 1], ones),
            this.reshape(`${name}.shift`, y, [channels]),
          ];
    return this.#inBlocks(this.blocksNode('Conv', name, inputs, x.shape, { kernel_shape: [1, 1], group: channels }));
  }

  #fits({ shape, type }: Value): boolean {
    return shape.length === 4 && shape[1]! % this.block === 0 && type === ElementType.float32;
  }

  #inBlocks(value: Value): Value {
    return Object.assign(value, { block: this.block });
  }

  #asBlocks(x: Value): Value {
    const [batch, channels, height, width] = x.shape as [number, number, number, number];
    return this.reshape(`${x.name}.as-blocks`, x, [batch, channels / this.block, height, width, this.block]);
  }

  #shapeOf({ shape }: Value): number[] {
    const [batch, blocks, height, width, block] = shape as [number, number, number, number, number];
    return [batch, blocks * block, height, width];
  }
}

/**
 * Lets convolutions in blocks add and clip what they make. A sum is written over what is added, which is copied first, by
 * one thread, where it is needed later: then it stays a sum of its own.
 */
function fuse(nodes: GraphNode[], blocked: ReadonlySet<string>): void {
  const uses = new Map<string, number>();
  const lastUse = new Map<string, number>();
  nodes.forEach(({ inputs }, index) => {
    for (const name of inputs) {
      uses.set(name, (uses.get(name) ?? 0) + 1);
      lastUse.set(name, index);
    }
  });
  const kept = new Map<string, GraphNode>();
  const ofOne = (name: string): GraphNode | undefined => {
    const node = kept.get(name);
    return node?.op === 'Conv' && blocked.has(name) && uses.get(name) === 1 && !node.attributes.has('activation')
      ? node
      : undefined;
  };
  const take = (conv: GraphNode, by: Pick<GraphNode, 'outputs'> & Partial<GraphNode>) => {
    kept.delete(conv.outputs[0]!);
    kept.set(by.outputs[0]!, { ...conv, ...by });
  };
  nodes.forEach((node, index) => {
    const { op, inputs, outputs, attributes, name } = node;
    if (op === 'Add' && blocked.has(outputs[0]!)) {
      for (const [made, added] of [inputs, inputs.toReversed()] as [string, string][]) {
        const conv = ofOne(made);
        if (!conv || conv.inputs.length === 4 || lastUse.get(added) !== index || !blocked.has(added)) continue;
        const [x, weight, bias = ''] = conv.inputs as [string, string, string?];
        take(conv, { name, inputs: [x, weight, bias, added], outputs });
        return;
      }
    }
    const conv = op === 'Relu' || op === 'LeakyRelu' ? ofOne(inputs[0]!) : undefined;
    if (!conv) {
      kept.set(outputs[0]!, node);
      return;
    }
    const slope = attributes.get('alpha') as { value: number } | undefined;
    const activation = new Map(conv.attributes).set('activation', { kind: 'string', value: op });
    if (slope) activation.set('activation_params', { kind: 'floats', value: [slope.value] });
    take(conv, { name, outputs, attributes: activation });
  });
  nodes.splice(0, nodes.length, ...kept.values());
}

/** A convolution's weights [out, in, height, width], so many inputs side by side and, within each, so many outputs. */
function weightsInBlocks(values: Float32Array, shape: readonly number[], ins: number, outs: number): Float32Array {
  const [out, channels] = shape as [number, number];
  const area = elementCount(shape.slice(2));
  const ordered = new Float32Array(values.length);
  let at = 0;
  for (let o = 0; o < out; o += outs) {
    for (let c = 0; c < channels; c += ins) {
      for (let tap = 0; tap < area; tap++) {
        for (let inner = c; inner < c + ins; inner++) {
          for (let outer = o; outer < o + outs; outer++)
            ordered[at++] = values[(outer * channels + inner) * area + tap]!;
        }
      }
    }
  }
  return ordered;
}
