import type { GraphEstimate } from '../graph-spec.js';
import { type ElementType, elementBytes, type Initializer } from '../onnx/proto.js';
import { elementCount } from '../shape.js';

/** What the estimate needs of a graph: nodes in the order in which they run, and values of known size. */
export interface SizedGraph {
  readonly nodes: readonly {
    readonly op: string;
    readonly inputs: readonly string[];
    readonly outputs: readonly string[];
  }[];
  readonly inputs: readonly SizedValue[];
  readonly outputs: readonly { readonly name: string }[];
  /** Values that nodes make. One that is missing counts as empty. */
  readonly values: readonly SizedValue[];
  readonly initializers: readonly Pick<Initializer, 'name' | 'type' | 'shape'>[];
}

export interface SizedValue {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
}

/**
 * Memory and largest tensor of a graph that runs its nodes in order and frees each value after its last use.
 * @param embedded values of a foreign graph within, whose sizes the builder does not know.
 */
export function estimateMemory(
  graph: SizedGraph,
  embedded: readonly SizedValue[] = [],
): Pick<GraphEstimate, 'weightBytes' | 'peakActivationBytes' | 'largestTensor'> {
  const constants = new Set(graph.initializers.map(({ name }) => name));
  const all = [...graph.inputs, ...graph.values, ...embedded].filter(({ name }) => !constants.has(name));
  const bytes = new Map(all.map((value) => [value.name, sizeOf(value)]));
  const owner = owners(graph);
  const lastUse = new Map<string, number>();
  graph.nodes.forEach((node, index) => {
    for (const name of [...node.inputs, ...node.outputs]) lastUse.set(owner(name), index);
  });
  for (const { name } of graph.outputs) lastUse.set(owner(name), graph.nodes.length);

  let alive = graph.inputs.reduce((sum, input) => sum + sizeOf(input), 0);
  let peak = alive;
  graph.nodes.forEach((node, index) => {
    for (const name of node.outputs) if (owner(name) === name) alive += bytes.get(name) ?? 0;
    peak = Math.max(peak, alive);
    for (const name of new Set([...node.inputs, ...node.outputs].map(owner))) {
      if (lastUse.get(name) === index) alive -= bytes.get(name) ?? 0;
    }
  });
  return {
    weightBytes: graph.initializers.reduce((sum, initializer) => sum + sizeOf(initializer), 0),
    peakActivationBytes: peak,
    largestTensor: all.reduce((most, { shape }) => Math.max(most, elementCount(shape)), 0),
  };
}

const sizeOf = ({ type, shape }: Pick<Initializer, 'type' | 'shape'>): number =>
  elementCount(shape) * elementBytes(type);

/** A reshaped value lies in its source's memory (runtimes drop identities, too): the value whose memory a name stands for. */
function owners(graph: SizedGraph): (name: string) => string {
  const source = new Map<string, string>();
  for (const { op, inputs, outputs } of graph.nodes) {
    if (op === 'Reshape' || op === 'Identity') source.set(outputs[0]!, source.get(inputs[0]!) ?? inputs[0]!);
  }
  return (name) => source.get(name) ?? name;
}
