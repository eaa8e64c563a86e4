import { fromHalf } from '../../ts/model/onnx/half.js';
import { ElementType, type GraphNode, type Initializer, type OnnxModel } from '../../ts/model/onnx/proto.js';

const { float16, float32 } = ElementType;

const cast = (from: string, to: string, type: ElementType): GraphNode => ({
  name: to,
  op: 'Cast',
  domain: '',
  inputs: [from],
  outputs: [to],
  attributes: new Map([['to', { kind: 'int', value: type }]]),
});

/**
 * An fp16 graph for a runtime that has no half arithmetic: every operator computes in float32, and each value that the graph
 * declares half is rounded to half as soon as it is made.
 */
export function emulateHalf(model: OnnxModel): OnnxModel {
  const halves = new Set(model.values.filter(({ type }) => type === float16).map(({ name }) => name));
  const nodes = model.nodes.flatMap((node): GraphNode[] => {
    const [made] = node.outputs as [string];
    if (!halves.has(made)) return [node];
    const [exact, half] = [`${made}/exact`, `${made}/half`];
    const first = node.op === 'Cast' ? [] : [{ ...node, name: exact, outputs: [exact] }];
    return [...first, cast(node.op === 'Cast' ? node.inputs[0]! : exact, half, float16), cast(half, made, float32)];
  });
  return { ...model, nodes, values: [], initializers: model.initializers.map(widened) };
}

function widened(constant: Initializer): Initializer {
  if (constant.type !== float16) return constant;
  const data = () => {
    // A copy: in the file, halves may lie at odd addresses.
    const { buffer } = new Uint8Array(constant.data());
    return new Uint8Array(fromHalf(new Uint16Array(buffer)).buffer);
  };
  return { ...constant, type: float32, data };
}
