import { BinaryReader } from '@bufbuild/protobuf/wire';
import { FlavrError } from '../../errors.js';
import { elementCount } from '../shape.js';
import { bytes, embedded, float, floats, integer, integers, many, message, one, text } from './message.js';
import {
  type Attribute,
  ElementType,
  elementBytes,
  type GraphNode,
  type Initializer,
  isElementType,
  type OnnxModel,
  type ValueInfo,
} from './proto.js';

const readEntry = message({ key: one(1, text, ''), value: one(2, text, '') });
const readOpset = message({ domain: one(1, text, ''), version: one(2, integer, 0) });
const readDimension = message({ value: one(1, integer, undefined), parameter: one(2, text, '') });
const readShape = message({ dimensions: many(1, embedded(readDimension)) });
const readTensorType = message({ type: one(1, integer, 0), shape: one(2, embedded(readShape), undefined) });
const readType = message({ tensor: one(1, embedded(readTensorType), undefined) });
const readValueInfo = message({ name: one(1, text, ''), type: one(2, embedded(readType), undefined) });
const readTensor = message({
  shape: integers(1),
  type: one(2, integer, 0),
  float32: many(4, bytes),
  int32: many(5, bytes),
  int64: many(7, bytes),
  name: one(8, text, ''),
  raw: one(9, bytes, undefined),
  float64: many(10, bytes),
  external: many(13, bytes),
  location: one(14, integer, 0),
});
const readAttribute = message({
  name: one(1, text, ''),
  float: one(2, float, 0),
  int: one(3, integer, 0),
  text: one(4, text, ''),
  tensor: one(5, embedded(initializer), undefined),
  floats: floats(7),
  ints: integers(8),
  type: one(20, integer, 0),
});
const readNode = message({
  inputs: many(1, text),
  outputs: many(2, text),
  name: one(3, text, ''),
  op: one(4, text, ''),
  attributes: many(5, embedded(attribute)),
  domain: one(7, text, ''),
});
const readGraph = message({
  nodes: many(1, embedded(node)),
  name: one(2, text, ''),
  initializers: many(5, embedded(initializer)),
  inputs: many(11, embedded(valueInfo)),
  outputs: many(12, embedded(valueInfo)),
  values: many(13, embedded(valueInfo)),
  sparse: many(15, bytes),
});
const readModel = message({
  irVersion: one(1, integer, 0),
  producer: one(2, text, ''),
  graph: one(7, embedded(readGraph), undefined),
  opsets: many(8, embedded(readOpset)),
  metadata: many(14, embedded(readEntry)),
  functions: many(25, bytes),
});

/**
 * Reads an ONNX ModelProto. Weights stay views of `encoded` where the file holds them as raw data; no size that the file
 * claims is believed before it is checked against the bytes that are there.
 * @throws FlavrError `GRAPH_INVALID` if the bytes are no ONNX model, or its weights lie in other files.
 */
export function decodeModel(encoded: Uint8Array): OnnxModel {
  try {
    const { graph, opsets, metadata, ...model } = readModel(encoded);
    if (graph === undefined || opsets.length === 0) throw invalid('it has no graph or names no operator set');
    if (graph.sparse.length > 0) throw invalid('it has sparse weights, which flavr does not read');
    return {
      ...model,
      ...graph,
      opsets: new Map(opsets.map(({ domain, version }) => [canonical(domain), version])),
      metadata: Object.fromEntries(metadata.map(({ key, value }) => [key, value])),
    };
  } catch (error) {
    if (error instanceof FlavrError) throw error;
    throw invalid('it is cut short, damaged or another kind of file', error);
  }
}

const invalid = (what: string, cause?: unknown): FlavrError =>
  new FlavrError('GRAPH_INVALID', `This is no usable ONNX model: ${what}.`, { cause });

/** ONNX's own operators have two names for their domain. */
const canonical = (domain: string): string => (domain === 'ai.onnx' ? '' : domain);

function node(encoded: Uint8Array): GraphNode {
  const { attributes, domain, ...rest } = readNode(encoded);
  return { ...rest, domain: canonical(domain), attributes: new Map(attributes) };
}

function attribute(encoded: Uint8Array): [string, Attribute] {
  const { name, type, ...value } = readAttribute(encoded);
  if (type === 1) return [name, { kind: 'float', value: value.float }];
  if (type === 2) return [name, { kind: 'int', value: value.int }];
  if (type === 3) return [name, { kind: 'string', value: value.text }];
  if (type === 4 && value.tensor) return [name, { kind: 'tensor', value: value.tensor }];
  if (type === 6) return [name, { kind: 'floats', value: value.floats }];
  if (type === 7) return [name, { kind: 'ints', value: value.ints }];
  // 5: one subgraph, 10: several.
  return [name, { kind: 'other', encoded, graph: type === 5 || type === 10 }];
}

function valueInfo(encoded: Uint8Array): ValueInfo {
  const { name, type } = readValueInfo(encoded);
  const dimensions = type?.tensor?.shape?.dimensions ?? [];
  return { name, type: type?.tensor?.type ?? 0, shape: dimensions.map(({ value, parameter }) => value ?? parameter) };
}

function initializer(encoded: Uint8Array): Initializer {
  const { name, type, shape, external, location, ...fields } = readTensor(encoded);
  const which = name ? `the constant ${name}` : 'a constant';
  if (external.length > 0 || location !== 0) {
    throw invalid(
      `${which} lies in another file; save the model as one, in Python with onnx.save_model(model, path, save_as_external_data=False)`,
    );
  }
  if (!isElementType(type)) throw invalid(`${which} has element type ${type}, which no FLAVR graph needs`);
  if (!shape.every((size) => Number.isSafeInteger(size) && size >= 0)) throw invalid(`${which} has shape [${shape}]`);
  const data = fields.raw ?? typedData(type, fields);
  const expected = elementCount(shape) * elementBytes(type);
  if (data.byteLength !== expected) {
    throw invalid(`${which} of shape [${shape}] takes ${expected} bytes and has ${data.byteLength}`);
  }
  return { name, type, shape, data: () => data };
}

/** Values that lie in a field of their type, as raw data. */
function typedData(
  type: ElementType,
  fields: Pick<ReturnType<typeof readTensor>, 'float32' | 'float64' | 'int32' | 'int64'>,
): Uint8Array {
  // Packed floats are little-endian already.
  if (type === ElementType.float32) return Buffer.concat(fields.float32);
  if (type === ElementType.float64) return Buffer.concat(fields.float64);
  if (type === ElementType.int64) {
    const values = fields.int64.flatMap((packed) => unpack(packed, (reader) => BigInt(reader.int64())));
    return new Uint8Array(BigInt64Array.from(values).buffer);
  }
  // All types of 32 bits and less share one field; half precision holds its bit patterns there.
  const values = fields.int32.flatMap((packed) => unpack(packed, (reader) => reader.int32()));
  const size = elementBytes(type);
  return new Uint8Array((size === 4 ? Int32Array : size === 2 ? Uint16Array : Uint8Array).from(values).buffer);
}

function unpack<T>(packed: Uint8Array, read: (reader: BinaryReader) => T): T[] {
  const reader = new BinaryReader(packed);
  const values: T[] = [];
  while (reader.pos < reader.len) values.push(read(reader));
  return values;
}
