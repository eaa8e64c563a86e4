// What a GPU machine without Node needs for native/check: graphs without the weights that the rule makes again, input
// frames, expected outputs. The formats are those of native/check/folder.h.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { readEnvironment } from '../../ts/bench/environment.js';
import type { Tensor, WeightsModel } from '../../ts/model/config.js';
import { buildGraph } from '../../ts/model/graph/build.js';
import type { CompleteGraphSpec, GraphSpec, Lowering, Precision } from '../../ts/model/graph-spec.js';
import { ElementType, type Initializer } from '../../ts/model/onnx/proto.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';
import { elementCount } from '../../ts/model/shape.js';
import { goldenModel } from '../graph/support.js';

/** `count` times `stride` elements on; the first digit of a walk turns fastest. */
interface Digit {
  readonly count: number;
  readonly stride: number;
}

export interface HollowGraph {
  readonly bytes: Buffer;
  /** Useful operations of a window. */
  readonly flops: number;
}

/** Constants smaller than this are kept as they are. */
const FEWEST_ELEMENTS = 4096;
/** Whole numbers up to here are exact in float32. */
const MOST_ELEMENTS = 2 ** 24;

/**
 * A graph of a model with weights by the rule, without those weights: a few kilobytes from which native/check makes the
 * very bytes of `buildGraph` again. Where each weight comes from is not known here but found: the same graph is built of a
 * model whose weights are their own positions, so a change of the graph builder needs no change of this.
 */
export function hollowGraph(model: WeightsModel, spec: GraphSpec, gain: number): HollowGraph {
  const { bytes, estimate } = buildGraph(model, spec);
  const positions = buildGraph(positionModel(model), { ...spec, precision: 'fp32' }).bytes;
  const origins = new Map(decodeModel(positions).initializers.map((initializer) => [initializer.name, initializer]));

  const lines = ['flavr-graph 1', `bytes ${bytes.length}`, `crc32 ${crc32(bytes)}`];
  const kept: Uint8Array[] = [];
  let at = 0;
  const keepUntil = (end: number) => {
    lines.push(`keep ${end - at}`);
    kept.push(bytes.subarray(at, end));
    at = end;
  };
  for (const initializer of decodeModel(bytes).initializers) {
    const fill = fillLine(model, initializer, origins.get(initializer.name), gain);
    if (fill === undefined) continue;
    const data = initializer.data();
    keepUntil(data.byteOffset - bytes.byteOffset);
    lines.push(fill);
    at += data.byteLength;
  }
  keepUntil(bytes.length);
  return { bytes: Buffer.concat([Buffer.from(`${lines.join('\n')}\nend\n`), ...kept]), flops: estimate.usefulFlops };
}

function positionModel(model: WeightsModel): WeightsModel {
  const tensors = new Map<string, Tensor>();
  for (const [name, { shape, data }] of model.tensors) {
    if (data.length > MOST_ELEMENTS) throw new Error(`${name} has ${data.length} elements, too many to number`);
    tensors.set(name, { shape, data: data.map((_, i) => i) });
  }
  return { ...model, tensors };
}

/** The line that makes a constant again, or undefined where it is no plain rearrangement of one tensor by the rule. */
function fillLine(
  model: WeightsModel,
  { name, type, shape }: Initializer,
  origin: Initializer | undefined,
  gain: number,
) {
  const source = name.replace(/\[\d+\]$/, '');
  const tensor = model.tensors.get(source);
  const isWeight = tensor !== undefined && tensor.shape.length > 1 && elementCount(shape) >= FEWEST_ELEMENTS;
  if (!isWeight || origin === undefined) return undefined;
  const data = origin.data().slice();
  const walk = walkOf(new Float32Array(data.buffer, 0, data.byteLength / 4));
  if (walk === undefined) return undefined;
  const digits = walk.digits.map(({ count, stride }) => `${count}:${stride}`);
  const element = type === ElementType.float16 ? 'half' : 'float';
  return ['fill', source, element, elementCount(tensor.shape.slice(1)), gain, walk.first, ...digits].join(' ');
}

/** The walk that visits these positions in this order, if one does. */
function walkOf(positions: Float32Array): { readonly first: number; readonly digits: readonly Digit[] } | undefined {
  const first = positions[0]!;
  const digits: Digit[] = [];
  for (let step = 1; step < positions.length; step *= digits.at(-1)!.count) {
    const stride = positions[step]! - first;
    const most = positions.length / step;
    let count = 2;
    while (count < most && positions[count * step] === first + count * stride) count++;
    while (most % count !== 0) count--;
    if (count < 2) return undefined;
    digits.push({ count, stride });
  }
  const turned = digits.map(() => 0);
  let position = first;
  for (const visited of positions) {
    if (visited !== position) return undefined;
    for (const [i, { count, stride }] of digits.entries()) {
      position += stride;
      turned[i]!++;
      if (turned[i]! < count) break;
      position -= stride * count;
      turned[i] = 0;
    }
  }
  return { first, digits };
}

/** [k-1, 3, H, W] as [k-1, H, W, 3], the layout of frames. */
export function interleaved({ shape, data }: Tensor): Float32Array {
  const [count, , height, width] = shape as [number, number, number, number];
  const pixels = height * width;
  const result = new Float32Array(data.length);
  for (let i = 0; i < data.length; i++) {
    const [frame, channel] = [Math.floor(i / (3 * pixels)), Math.floor(i / pixels) % 3];
    result[(frame * pixels + (i % pixels)) * 3 + channel] = data[i]!;
  }
  if (count * 3 * pixels !== data.length) throw new Error(`[${shape}] does not have ${data.length} values`);
  return result;
}

/** A vector as a line of the manifest, and its two files. */
export interface CheckVector {
  readonly name: string;
  readonly width: number;
  readonly height: number;
  readonly factor: number;
  readonly frames: readonly Uint8Array[];
  /** [k-1, H, W, 3], in units of 255. */
  readonly expected: Float32Array;
}

export interface CheckGraph extends HollowGraph {
  readonly name: string;
  /** Absent for `timing`. */
  readonly vector?: string;
  /** `raw`: the raw form, compared in floats. The others, in the framed or ring form, go through sessions. */
  readonly purpose: 'raw' | 'vector' | 'soak' | 'timing';
  readonly precision: Precision;
  readonly lowering: Lowering;
  readonly width: number;
  readonly height: number;
  readonly factor: number;
  readonly inputs: number;
}

/** Writes vectors, graphs and the manifest that names them. */
export class CheckFolder {
  readonly #path: string;
  readonly #manifest = ['flavr-check-gpu 2'];

  constructor(path: string) {
    this.#path = path;
    mkdirSync(path, { recursive: true });
    const { flavr, commit } = readEnvironment();
    this.#manifest.push(`flavr ${commit === undefined ? flavr : `${flavr}-${commit}`}`);
  }

  addVector({ name, width, height, factor, frames, expected }: CheckVector): void {
    writeFileSync(join(this.#path, `${name}.frames`), Buffer.concat(frames));
    writeFileSync(join(this.#path, `${name}.expected`), new Uint8Array(expected.buffer));
    this.#manifest.push(
      ['vector', name, width, height, factor, frames.length, `${name}.frames`, `${name}.expected`].join(' '),
    );
  }

  addGraph({
    name,
    vector = '-',
    purpose,
    precision,
    lowering,
    width,
    height,
    factor,
    inputs,
    flops,
    bytes,
  }: CheckGraph): void {
    const file = `${name}.graph`;
    writeFileSync(join(this.#path, file), bytes);
    this.#manifest.push(
      ['graph', name, vector, purpose, precision, lowering, width, height, factor, inputs, flops, file].join(' '),
    );
  }

  finish(): void {
    writeFileSync(join(this.#path, 'manifest.txt'), `${this.#manifest.join('\n')}\n`);
  }
}

type CheckSpec = Pick<CompleteGraphSpec, 'width' | 'height' | 'precision' | 'lowering' | 'form'>;

const LOWERINGS = ['3d', '2d'] as const;
const PRECISIONS = ['fp16', 'fp32'] as const;
const TIMED_SIZES = [
  [256, 256],
  [512, 512],
  [1280, 720],
  [1920, 1080],
] as const;

/** Everything for a real GPU: the full-width vectors in both precisions and lowerings, raw and framed; the ring form; timings. */
export async function writeCheckFolder(path: string, onProgress: (name: string) => void): Promise<void> {
  const folder = new CheckFolder(path);
  for (const vector of ['r18-k2', 'r18-k8', 'r34-k2']) {
    const { golden, model } = await goldenModel(vector);
    const { width, height, frames } = golden;
    const { factor, inputs } = model.config;
    const gain = Number(golden.metadata.gain);
    folder.addVector({ name: vector, width, height, factor, frames, expected: interleaved(golden.outputs) });

    const add = (name: string, spec: CheckSpec, purpose: CheckGraph['purpose']) => {
      onProgress(name);
      const { form: _, ...about } = spec;
      const graph = hollowGraph(model, spec, gain);
      folder.addGraph({ name, factor, inputs, ...about, ...graph, purpose, ...(purpose !== 'timing' && { vector }) });
    };
    for (const precision of PRECISIONS) {
      for (const lowering of LOWERINGS) {
        const name = `${vector}-${precision}-${lowering}`;
        const spec = { width, height, precision, lowering };
        const long = vector === 'r18-k2' && precision === 'fp16';
        add(`${name}-raw`, { ...spec, form: 'raw' }, 'raw');
        add(name, { ...spec, form: 'framed' }, long ? 'soak' : 'vector');
      }
    }
    if (vector === 'r18-k8') {
      const spec: CheckSpec = { width: 1280, height: 720, precision: 'fp16', lowering: '3d', form: 'framed' };
      add('timing-1280x720-k8-fp16-3d', spec, 'timing');
    }
    if (vector !== 'r18-k2') continue;
    add('r18-k2-fp16-3d-ring', { width, height, precision: 'fp16', lowering: '3d', form: 'ring' }, 'vector');
    for (const [w, h] of TIMED_SIZES) {
      for (const lowering of LOWERINGS) {
        const spec: CheckSpec = { width: w, height: h, precision: 'fp16', lowering, form: 'framed' };
        add(`timing-${w}x${h}-fp16-${lowering}`, spec, 'timing');
      }
    }
    add(
      'timing-512x512-fp32-3d',
      { width: 512, height: 512, precision: 'fp32', lowering: '3d', form: 'framed' },
      'timing',
    );
  }
  folder.finish();
}
