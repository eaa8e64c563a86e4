/** Element types of ONNX tensors that a FLAVR graph can hold, by their numbers in `TensorProto.DataType`. */
export const ElementType = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  float64: 11,
} as const;
export type ElementType = (typeof ElementType)[keyof typeof ElementType];

const ELEMENT_BYTES: Readonly<Record<ElementType, number>> = { 1: 4, 2: 1, 3: 1, 6: 4, 7: 8, 9: 1, 10: 2, 11: 8 };

export const isElementType = (value: number): value is ElementType => Object.hasOwn(ELEMENT_BYTES, value);
export const elementBytes = (type: ElementType): number => ELEMENT_BYTES[type];

/** A constant of the graph. */
export interface Initializer {
  readonly name: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /**
   * Little-endian values in row-major order. Called once for each time the model is written, so that weights are converted
   * one tensor at a time and never all held twice.
   */
  readonly data: () => Uint8Array;
}

export type Attribute =
  | { readonly kind: 'int'; readonly value: number }
  | { readonly kind: 'float'; readonly value: number }
  | { readonly kind: 'string'; readonly value: string }
  | { readonly kind: 'ints'; readonly value: readonly number[] }
  | { readonly kind: 'floats'; readonly value: readonly number[] }
  | { readonly kind: 'tensor'; readonly value: Initializer }
  /** Anything else, as the encoded AttributeProto; `graph` tells whether a subgraph is inside. */
  | { readonly kind: 'other'; readonly encoded: Uint8Array; readonly graph: boolean };

export interface GraphNode {
  readonly name: string;
  readonly op: string;
  /** Empty for ONNX's own operators. */
  readonly domain: string;
  /** Names of values; an empty name is an input left out. */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes: ReadonlyMap<string, Attribute>;
}

/** Name, type and shape of a graph's input, output or inner value. A dimension that is not fixed is its name, or empty. */
export interface ValueInfo {
  readonly name: string;
  readonly type: number;
  readonly shape: readonly (number | string)[];
}

export interface OnnxModel {
  readonly irVersion: number;
  readonly opsets: ReadonlyMap<string, number>;
  readonly producer: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly name: string;
  readonly inputs: readonly ValueInfo[];
  readonly outputs: readonly ValueInfo[];
  /** Shapes of inner values, for readers that do not infer them. */
  readonly values: readonly ValueInfo[];
  readonly nodes: readonly GraphNode[];
  readonly initializers: readonly Initializer[];
  /** Encoded FunctionProtos of a graph that was read; kept as they are. */
  readonly functions: readonly Uint8Array[];
}
