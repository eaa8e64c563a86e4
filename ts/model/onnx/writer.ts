import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { FlavrError } from '../../errors.js';
import { TimeSlices } from '../../time-slices.js';
import { elementCount } from '../shape.js';
import {
  type Attribute,
  elementBytes,
  type GraphNode,
  type Initializer,
  type OnnxModel,
  type ValueInfo,
} from './proto.js';

// protobuf itself, and with it every reader, stops at 2 GiB.
const MAX_MODEL_BYTES = 2 ** 31 - 1;

type Chunk = Uint8Array | { readonly byteLength: number; readonly data: () => Uint8Array };

/**
 * A message as a list of pieces. Large data stays a reference until the one copy into the finished file: a growing buffer
 * would hold a model of hundreds of megabytes several times over.
 */
class Message {
  private byteLength = 0;
  readonly #chunks: Chunk[] = [];
  readonly #writer = new BinaryWriter();

  int(field: number, value: number): this {
    this.#writer.tag(field, WireType.Varint).int64(value);
    return this;
  }

  float(field: number, value: number): this {
    this.#writer.tag(field, WireType.Bit32).float(value);
    return this;
  }

  string(field: number, value: string): this {
    this.#writer.tag(field, WireType.LengthDelimited).string(value);
    return this;
  }

  ints(field: number, values: readonly number[]): this {
    this.#writer.tag(field, WireType.LengthDelimited).fork();
    for (const value of values) this.#writer.int64(value);
    this.#writer.join();
    return this;
  }

  message(field: number, message: Message): this {
    message.#flush();
    return this.#embed(field, message.byteLength, message.#chunks);
  }

  bytes(field: number, chunk: Chunk): this {
    return this.#embed(field, chunk.byteLength, [chunk]);
  }

  #embed(field: number, byteLength: number, chunks: readonly Chunk[]): this {
    this.#writer.tag(field, WireType.LengthDelimited).uint32(byteLength);
    this.#flush();
    for (const chunk of chunks) this.#chunks.push(chunk);
    this.byteLength += byteLength;
    return this;
  }

  /** Ends the piece that is being written; `byteLength` is right only after it. */
  #flush(): void {
    const written = this.#writer.finish();
    if (written.byteLength > 0) this.#chunks.push(written);
    this.byteLength += written.byteLength;
  }

  finish(): Uint8Array {
    const { bytes, pieces } = this.#pieces();
    for (const _ of pieces);
    return bytes;
  }

  async finishInSlices(): Promise<Uint8Array> {
    const { bytes, pieces } = this.#pieces();
    const slices = new TimeSlices();
    for (const _ of pieces) await slices.pause();
    return bytes;
  }

  /** The finished memory, and what fills it: a step for each piece. */
  #pieces(): { bytes: Uint8Array; pieces: Iterable<void> } {
    this.#flush();
    const bytes = new Uint8Array(this.byteLength);
    const chunks = this.#chunks;
    function* pieces(): Generator<void, void, undefined> {
      let offset = 0;
      for (const chunk of chunks) {
        bytes.set(chunk instanceof Uint8Array ? chunk : chunk.data(), offset);
        offset += chunk.byteLength;
        yield;
      }
    }
    return { bytes, pieces: pieces() };
  }
}

function tensor({ name, type, shape, data }: Initializer): Message {
  const byteLength = elementCount(shape) * elementBytes(type);
  return new Message().ints(1, shape).int(2, type).string(8, name).bytes(9, { byteLength, data });
}

// The numbers of AttributeProto.AttributeType.
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, tensor: 4, floats: 6, ints: 7 } as const;

function attribute(name: string, value: Exclude<Attribute, { kind: 'other' }>): Message {
  const message = new Message().string(1, name);
  switch (value.kind) {
    case 'float':
      message.float(2, value.value);
      break;
    case 'int':
      message.int(3, value.value);
      break;
    case 'string':
      message.string(4, value.value);
      break;
    case 'tensor':
      message.message(5, tensor(value.value));
      break;
    case 'floats':
      for (const number of value.value) message.float(7, number);
      break;
    case 'ints':
      // AttributeProto is proto2 in spirit: readers accept the packed form, and the checker asks for nothing else.
      message.ints(8, value.value);
      break;
  }
  return message.int(20, ATTRIBUTE_TYPE[value.kind]);
}

function node({ name, op, domain, inputs, outputs, attributes }: GraphNode): Message {
  const message = new Message();
  for (const input of inputs) message.string(1, input);
  for (const output of outputs) message.string(2, output);
  message.string(3, name).string(4, op);
  for (const [key, value] of attributes) {
    if (value.kind === 'other') message.bytes(5, value.encoded);
    else message.message(5, attribute(key, value));
  }
  return domain === '' ? message : message.string(7, domain);
}

function valueInfo({ name, type, shape }: ValueInfo): Message {
  const dimensions = new Message();
  for (const size of shape) {
    const dimension = new Message();
    dimensions.message(1, typeof size === 'number' ? dimension.int(1, size) : dimension.string(2, size));
  }
  const tensorType = new Message().int(1, type).message(2, dimensions);
  return new Message().string(1, name).message(2, new Message().message(1, tensorType));
}

/**
 * Serializes an ONNX ModelProto. Beside the returned bytes it holds one initializer's data at a time.
 * @throws FlavrError `GRAPH_INVALID` if the model would be 2 GiB or more, which no ONNX reader takes in one file.
 */
export function encodeModel(model: OnnxModel): Uint8Array {
  return modelMessage(model).finish();
}

/** The same without blocking the event loop: converting the weights of the published network takes half a second. */
export async function encodeModelInSlices(model: OnnxModel): Promise<Uint8Array> {
  return modelMessage(model).finishInSlices();
}

function modelMessage(model: OnnxModel): Message {
  const graph = new Message();
  for (const each of model.nodes) graph.message(1, node(each));
  graph.string(2, model.name);
  for (const each of model.initializers) graph.message(5, tensor(each));
  for (const each of model.inputs) graph.message(11, valueInfo(each));
  for (const each of model.outputs) graph.message(12, valueInfo(each));
  for (const each of model.values) graph.message(13, valueInfo(each));

  const weights = model.initializers.reduce(
    (sum, { shape, type }) => sum + elementCount(shape) * elementBytes(type),
    0,
  );
  if (weights > MAX_MODEL_BYTES - 2 ** 24) {
    throw new FlavrError(
      'GRAPH_INVALID',
      `An ONNX file holds less than 2 GiB; this graph's weights take ${weights} bytes. Use fp16 or a narrower model.`,
    );
  }
  const message = new Message().int(1, model.irVersion).string(2, model.producer).message(7, graph);
  for (const [domain, version] of model.opsets) message.message(8, new Message().string(1, domain).int(2, version));
  for (const [key, value] of Object.entries(model.metadata)) {
    message.message(14, new Message().string(1, key).string(2, value));
  }
  for (const each of model.functions) message.bytes(25, each);
  return message;
}
