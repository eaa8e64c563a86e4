import type { Attribute, GraphNode, Initializer, OnnxModel } from '../../ts/model/onnx/proto.js';
import { ElementType } from '../../ts/model/onnx/proto.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { encodeModel } from '../../ts/model/onnx/writer.js';

const DOMAIN = 'com.microsoft.nchwc';

/**
 * A graph in blocks with what ONNX Runtime's own operators do said in ONNX's, so that it runs on a processor of other blocks.
 * Their orders are the same for any block (`MlasReorderFilterOIHWBiBo` and its like in onnxruntime/core/mlas/lib/reorder.cpp):
 *
 *     an activation [B, C, H, W]                            [B, C / block, H, W, block]
 *     weights [O, I, H, W]                                  [O / block, I / block, H, W, block of I, block of O]
 *     the same of single channels, or fewer than a block    [O / block, I, H, W, block of O]
 *
 * All else in the graph stays as it is: it takes values for what they are in memory.
 * @throws Error for an operator whose channels ONNX Runtime would refuse.
 */
export function spellOutBlocks(bytes: Uint8Array, block: number): Uint8Array {
  const graph = decodeModel(bytes);
  const speller = new Speller(graph, block);
  for (const node of graph.nodes) speller.add(node);
  const opsets = new Map([...graph.opsets].filter(([domain]) => domain !== DOMAIN));
  const initializers = [...graph.initializers, ...speller.constants.values()];
  return encodeModel({ ...graph, opsets, nodes: speller.nodes, initializers });
}

class Speller {
  readonly nodes: GraphNode[] = [];
  readonly constants = new Map<string, Initializer>();
  readonly #shapes: ReadonlyMap<string, readonly number[]>;
  readonly #block: number;

  constructor({ inputs, outputs, values, initializers }: OnnxModel, block: number) {
    const sized = [...inputs, ...outputs, ...values, ...initializers];
    this.#shapes = new Map(sized.map(({ name, shape }) => [name, shape as readonly number[]]));
    this.#block = block;
  }

  add(node: GraphNode): void {
    if (node.domain !== DOMAIN) this.nodes.push(node);
    else if (node.op === 'ReorderInput') this.#toBlocks(node.inputs[0]!, node.outputs[0]!);
    else if (node.op === 'ReorderOutput') this.#toOrder(node.inputs[0]!, node.outputs[0]!);
    else if (node.op === 'GlobalAveragePool') {
      const [x, y] = [node.inputs[0]!, node.outputs[0]!];
      this.#node('GlobalAveragePool', [this.#toOrder(x, `${y}/x`)], `${y}/mean`);
      this.#toBlocks(`${y}/mean`, y);
    } else if (node.op === 'Conv') this.#conv(node);
    else throw new Error(`there is no operator ${node.op}`);
  }

  #conv({ inputs, outputs, attributes }: GraphNode): void {
    const [x, weights, bias, added] = inputs as [string, string, string?, string?];
    const y = outputs[0]!;
    const [out, channels, ...size] = this.#shape(weights);
    const value = (name: string) => (attributes.get(name) as { value?: unknown } | undefined)?.value;
    const group = Number(value('group') ?? 1);
    const single = group === out;
    const few = group === 1 && channels! < this.#block;
    this.#fills(out! / (single ? 1 : group));
    if (!single && !few) this.#fills(channels!);

    const ins = single || few ? 1 : this.#block;
    const inMemory = [out! / this.#block, channels! / ins, ...size, ins, this.#block];
    const ordered = this.#moved(weights, inMemory, [0, 5, 1, 4, 2, 3], [out!, channels!, ...size], `${y}/weights`);
    const plain = new Map([...attributes].filter(([name]) => !name.startsWith('activation')));
    const operands = [few ? x : this.#toOrder(x, `${y}/x`), ordered, ...(bias ? [bias] : [])];
    let made = this.#node('Conv', operands, `${y}/conv`, plain);
    if (added) made = this.#node('Add', [made, this.#toOrder(added, `${y}/added`)], `${y}/sum`);
    const activation = value('activation');
    if (activation) {
      const [alpha] = (value('activation_params') ?? []) as number[];
      const slopes = new Map<string, Attribute>(
        alpha === undefined ? [] : [['alpha', { kind: 'float', value: alpha }]],
      );
      made = this.#node(String(activation), [made], `${y}/active`, slopes);
    }
    this.#toBlocks(made, y);
  }

  #toOrder(x: string, name: string): string {
    const [batch, channels, ...size] = this.#shape(x);
    this.#fills(channels!);
    const inMemory = [batch!, channels! / this.#block, ...size, this.#block];
    return this.#moved(x, inMemory, [0, 1, 4, 2, 3], this.#shape(x), name);
  }

  /** Into a value of the graph. */
  #toBlocks(x: string, name: string): void {
    const shape = this.#shape(name);
    const [batch, channels, ...size] = shape;
    this.#fills(channels!);
    this.#moved(x, [batch!, channels! / this.#block, this.#block, ...size], [0, 1, 3, 4, 2], shape, name);
  }

  #moved(
    x: string,
    inMemory: readonly number[],
    perm: readonly number[],
    shape: readonly number[],
    name: string,
  ): string {
    const apart = this.#node('Reshape', [x, this.#sizes(inMemory)], `${name}/apart`);
    const moved = this.#node('Transpose', [apart], `${name}/moved`, new Map([['perm', { kind: 'ints', value: perm }]]));
    return this.#node('Reshape', [moved, this.#sizes(shape)], name);
  }

  #fills(channels: number): void {
    if (channels % this.#block !== 0) throw new Error(`${channels} channels fill no blocks of ${this.#block}`);
  }

  #shape(name: string): readonly number[] {
    return this.#shapes.get(name)!;
  }

  #sizes(values: readonly number[]): string {
    const name = `sizes[${values}]`;
    const data = () => new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    this.constants.set(name, { name, type: ElementType.int64, shape: [values.length], data });
    return name;
  }

  #node(
    op: string,
    inputs: readonly string[],
    output: string,
    attributes: ReadonlyMap<string, Attribute> = new Map(),
  ): string {
    this.nodes.push({ name: output, op, domain: '', inputs, outputs: [output], attributes });
    return output;
  }
}
