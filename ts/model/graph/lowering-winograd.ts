import { ElementType } from '../onnx/proto.js';
import { Activation } from './activation.js';
import type { GraphBuilder, Value } from './builder.js';
import { gateFactors, headByFours, perChannel } from './layers.js';
import { Lowering2d, type Steps, type TimeLayer } from './lowering-2d.js';
import { LoweringWinogradTime } from './lowering-winograd-time.js';
import type { Lowering, Stride } from './network.js';
import type { Affine, Kernel } from './weights.js';
import { RowsWinograd } from './winograd-rows.js';
import { convolveStack } from './winograd-stack.js';
import { fitsTiles, slicesInOrder } from './winograd-time.js';

// ONNX Runtime makes so many channels at once: four phases that have fewer are made together sooner than apart.
const LEAST_OF_PHASE = 64;

// Of layers with fewer channels, in or out, the sums along the rows take more time than they save. In blocks they take less.
const LEAST_CHANNELS = { inOrder: 128, inBlocks: 64 };

/**
 * The 2d lowering with Winograd's algorithm: along time as in `LoweringWinogradTime`, and in wide layers along the rows too,
 * as in `RowsWinograd`. Those have all steps in one stack, its rows in tiles, and so have wide transposed convolutions, with their
 * phases apart; in a graph in blocks, all layers that the algorithm fits. What stands behind one of them stays as it is; a batch
 * of several windows has none.
 */
export class LoweringWinograd implements Lowering<Activation, Value> {
  readonly #b: GraphBuilder;
  readonly #rows: RowsWinograd;
  readonly #steps: LoweringWinogradTime;
  /** What is done to a stack is done as if it were one step. */
  readonly #stack: Lowering2d;
  /** Sums of a stack's steps need no other order then. */
  readonly #inBlocks: boolean;

  /** @param fed whether weights of wide layers are inputs of the graph. */
  constructor(builder: GraphBuilder, fed = false) {
    this.#b = builder;
    this.#rows = new RowsWinograd(builder, fed);
    this.#steps = new LoweringWinogradTime(builder, ElementType.float32);
    this.#stack = new Lowering2d(builder, ElementType.float32);
    this.#inBlocks = builder.block > 1;
  }

  /** The window from its frames, each [B, 3, H, W] in float32. */
  window(frames: readonly Value[]): Activation {
    return this.#ofSteps(frames);
  }

  conv(name: string, x: Activation, kernel: Kernel, stride: Stride): Activation {
    const [out, channels, time, rows] = kernel.shape as [number, number, number, number];
    const least = this.#inBlocks ? LEAST_CHANNELS.inBlocks : LEAST_CHANNELS.inOrder;
    const alongRows = Math.min(channels, out) >= least && rows === 3 && stride.space === 1;
    const layer = this.#steps.convLayer(x.shape, x.length, kernel, stride);
    if ((alongRows || this.#inBlocks) && fitsStack(x, layer)) {
      if (alongRows) return this.#rows.convolve(name, x, kernel, slicesInOrder(layer));
      return this.#ofStack(convolveStack(this.#b, name, x.stack, [layer]));
    }
    if (x.stacked && time === 1 && stride.time === 1) {
      const ofPositions = rows === 1 && stride.space === 1;
      if (ofPositions) return this.#each(name, x, (stack, named, parts) => stack.conv(named, parts, kernel, stride));
      return this.#ofStack(this.#stack.conv(`${name}.stack`, [x.stack], kernel, stride));
    }
    return this.#ofSteps(this.#steps.conv(name, x.steps, kernel, stride));
  }

  deconv(name: string, x: Activation, kernel: Kernel, timeStride: number): Activation {
    const apart = this.#steps.phaseLayers(x.shape, x.length, kernel, timeStride);
    if (kernel.shape[1]! >= LEAST_OF_PHASE && apart.every((layer) => fitsStack(x, layer))) {
      return Activation.ofPhases(this.#b, convolveStack(this.#b, name, x.stack, apart));
    }
    const joined = this.#steps.joinedPhases(x.shape, x.length, kernel, timeStride);
    if (this.#inBlocks && fitsStack(x, joined)) {
      const [phases] = convolveStack(this.#b, `${name}.phases`, x.stack, [joined]) as [Value];
      return this.#ofStack([this.#steps.spread(name, 0, phases)]);
    }
    return this.#ofSteps(this.#steps.deconv(name, x.steps, kernel, timeStride));
  }

  upsample(name: string, x: Activation, time: number): Activation {
    return this.#ofSteps(this.#steps.upsample(name, x.steps, time));
  }

  poolTime(name: string, x: Activation): Activation {
    return this.#ofSteps(this.#steps.poolTime(name, x.steps));
  }

  gate(name: string, x: Activation, kernel: Kernel, norm: Affine | undefined): Activation {
    if (!x.stacked) return this.#ofSteps(this.#steps.gate(name, x.steps, kernel, norm));
    const b = this.#b;
    const means = x.parts.map((part, i) => b.globalMean(`${name}.means${i}`, part));
    const ofSteps = means.length === 1 ? means[0]! : b.elementwise('Mean', `${name}.means`, means);
    const mean = b.node('ReduceMean', `${name}.mean`, [ofSteps], ofSteps.shape.with(0, 1), { axes: [0] });
    const factors = gateFactors(b, name, mean, kernel, norm);
    const scaled = x.parts.map((part, i) => b.elementwise('Mul', `${name}.scaled${i}`, [part, factors]));
    if (!norm) return x.of(scaled);
    const shift = perChannel(b, `${name}.norm.shift`, norm.shift, scaled[0]!);
    return x.of(scaled.map((part, i) => b.elementwise('Add', `${name}.shifted${i}`, [part, shift])));
  }

  affine(name: string, x: Activation, norm: Affine): Activation {
    return this.#each(name, x, (lowering, named, steps) => lowering.affine(named, steps, norm));
  }

  relu(name: string, x: Activation): Activation {
    return this.#each(name, x, (lowering, named, steps) => lowering.relu(named, steps));
  }

  leakyRelu(name: string, x: Activation): Activation {
    return this.#each(name, x, (lowering, named, steps) => lowering.leakyRelu(named, steps));
  }

  add(name: string, a: Activation, c: Activation): Activation {
    const join = (named: string, left: Steps, right: Steps) => this.#stack.add(named, left, right);
    return Activation.joined(name, a, c, a.shape[1]!, join);
  }

  concat(name: string, a: Activation, c: Activation): Activation {
    const join = (named: string, left: Steps, right: Steps) => this.#stack.concat(named, left, right);
    return Activation.joined(name, a, c, a.shape[1]! + c.shape[1]!, join);
  }

  fuse(name: string, x: Activation, kernel: Kernel): Value {
    if (!x.stacked) return this.#steps.fuse(name, x.steps, kernel);
    // A stack's steps lie side by side as channels do.
    const fused = (x.phases ?? [x.stack]).map((part, i) => {
      const [steps, channels, height, width] = part.shape as [number, number, number, number];
      const image = this.#b.reshape(`${name}.image${i}`, part, [1, steps * channels, height, width]);
      return this.#stack.fuse(`${name}.phase${i}`, [image], kernel);
    });
    return x.phases ? Activation.ofPhases(this.#b, fused).stack : fused[0]!;
  }

  head(name: string, y: Value, kernel: Kernel): Value {
    return headByFours(this.#b, name, y, kernel) ?? this.#steps.head(name, y, kernel);
  }

  #ofSteps(steps: Steps): Activation {
    return Activation.ofSteps(this.#b, steps);
  }

  #ofStack([stack]: Steps): Activation {
    return Activation.ofStack(this.#b, stack!);
  }

  #each(
    name: string,
    x: Activation,
    operation: (lowering: Lowering2d, name: string, steps: Steps) => Steps,
  ): Activation {
    return x.of(x.stacked ? operation(this.#stack, `${name}.stack`, x.parts) : operation(this.#steps, name, x.steps));
  }
}

/** Whether a layer can be made of the stack of one window's steps. */
const fitsStack = (x: Activation, layer: TimeLayer): boolean => x.shape[0] === 1 && fitsTiles(layer, x.length);
