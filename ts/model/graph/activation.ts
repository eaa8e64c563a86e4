import type { GraphBuilder, Value } from './builder.js';
import type { Steps } from './lowering-2d.js';
import { TILE } from './winograd-time.js';

type Form = 'steps' | 'stack' | 'phases' | 'rows';

interface Make {
  readonly steps: () => Steps;
  readonly stack: () => Value;
  readonly rows: () => Value;
}

/**
 * An activation in the form in which it was made: step by step, each [B, C, H, W]; as the stack of all steps, [T, C, H, W];
 * as phases, the stacks [T, C, H/2, W/2] of the even and odd columns of the even rows, then of the odd ones; or as rows in
 * tiles of four, [4T, C, H/4, W]: of all tiles the first row of all steps, then the second ones and so on. As steps, as a stack
 * or as rows it is put together when it is first asked for.
 */
export class Activation {
  /** Of each step. */
  readonly shape: readonly number[];
  /** How many steps it has. */
  readonly length: number;
  readonly #b: GraphBuilder;
  readonly #form: Form;
  readonly #make: Make;
  #phases: Steps | undefined;
  #steps: Steps | undefined;
  #stack: Value | undefined;
  #rows: Value | undefined;

  private constructor(b: GraphBuilder, form: Form, shape: readonly number[], length: number, make: Make) {
    this.#b = b;
    this.#form = form;
    this.shape = shape;
    this.length = length;
    this.#make = make;
  }

  static ofSteps(b: GraphBuilder, steps: Steps): Activation {
    const [first] = steps as [Value];
    const activation: Activation = new Activation(b, 'steps', first.shape, steps.length, {
      steps: () => steps,
      stack: () => b.concat(`${first.name}.stack`, steps, 0),
      rows: () => tiledRows(b, activation.stack),
    });
    return activation;
  }

  static ofStack(b: GraphBuilder, stack: Value): Activation {
    return new Activation(b, 'stack', stack.shape.with(0, 1), stack.shape[0]!, {
      steps: () => stepsOf(b, stack),
      stack: () => stack,
      rows: () => tiledRows(b, stack),
    });
  }

  static ofPhases(b: GraphBuilder, phases: Steps): Activation {
    const [steps, channels, height, width] = phases[0]!.shape as [number, number, number, number];
    const activation: Activation = new Activation(b, 'phases', [1, channels, 2 * height, 2 * width], steps, {
      steps: () => stepsOf(b, activation.stack),
      stack: () => interleaved(b, phases),
      rows: () => tiledRows(b, activation.stack),
    });
    activation.#phases = phases;
    return activation;
  }

  /** @param height without what fills the last tiles; where that is something, they are put in order and cut off at once. */
  static ofRows(b: GraphBuilder, rows: Value, height: number): Activation {
    const [count, channels, tiles, width] = rows.shape as [number, number, number, number];
    if (tiles * TILE !== height) return Activation.ofStack(b, rowsInOrder(b, rows, height));
    const activation: Activation = new Activation(b, 'rows', [1, channels, height, width], count / TILE, {
      steps: () => stepsOf(b, activation.stack),
      stack: () => rowsInOrder(b, rows, height),
      rows: () => rows,
    });
    return activation;
  }

  /** An operation of both that can be made step by step, of stacks or of rows, and gives so many channels. */
  static joined(
    name: string,
    a: Activation,
    c: Activation,
    channels: number,
    join: (name: string, a: Steps, c: Steps) => Steps,
  ): Activation {
    const forms = [a.#form, c.#form];
    const form = forms.includes('rows') ? 'rows' : a.stacked || c.stacked ? 'stack' : 'steps';
    const activation: Activation = new Activation(a.#b, form, a.shape.with(1, channels), a.length, {
      steps: () => join(name, a.steps, c.steps),
      stack: () => join(`${name}.stack`, [a.stack], [c.stack])[0]!,
      rows: () => (form === 'rows' ? join(`${name}.rows`, [a.rows], [c.rows])[0]! : tiledRows(a.#b, activation.stack)),
    });
    return activation;
  }

  /** Whether it is made of all steps at once. */
  get stacked(): boolean {
    return this.#form !== 'steps';
  }

  get phases(): Steps | undefined {
    return this.#phases;
  }

  get steps(): Steps {
    this.#steps ??= this.#make.steps();
    return this.#steps;
  }

  /** Of a batch of one. */
  get stack(): Value {
    this.#stack ??= this.#make.stack();
    return this.#stack;
  }

  /** Of a batch of one. What fills the last tiles is zero. */
  get rows(): Value {
    this.#rows ??= this.#make.rows();
    return this.#rows;
  }

  /** The values that make it up, in its form. */
  get parts(): Steps {
    if (this.#form === 'rows') return [this.rows];
    return this.#phases ?? (this.stacked ? [this.stack] : this.steps);
  }

  /** Made in the same form, of what takes the place of each part. */
  of(parts: Steps): Activation {
    if (this.#phases) return Activation.ofPhases(this.#b, parts);
    if (this.#form === 'rows') return Activation.ofRows(this.#b, parts[0]!, this.shape[2]!);
    return this.stacked ? Activation.ofStack(this.#b, parts[0]!) : Activation.ofSteps(this.#b, parts);
  }
}

const stepsOf = (b: GraphBuilder, stack: Value): Value[] =>
  Array.from({ length: stack.shape[0]! }, (_, t) => b.slice(`${stack.name}.t${t}`, stack, 0, t, t + 1));

/** The rows of a stack in tiles, the last one filled up. */
function tiledRows(b: GraphBuilder, stack: Value): Value {
  const [steps, channels, height, width] = stack.shape as [number, number, number, number];
  const at = (what: string) => `${stack.name}.${what}`;
  const block = stack.block ?? 1;
  const images = (steps * channels) / block;
  const tiles = Math.ceil(height / TILE);
  let rows = b.reshape(at('images'), stack, [images, height, width * block]);
  const missing = tiles * TILE - height;
  if (missing > 0) {
    const pads = b.indices([0, 0, 0, 0, missing, 0]);
    rows = b.node('Pad', at('filled'), [rows, pads], rows.shape.with(1, tiles * TILE));
  }
  const inTiles = b.reshape(at('in-tiles'), rows, [images, tiles, TILE, width * block]);
  const apart = b.transpose(at('rows-apart'), inTiles, [2, 0, 1, 3]);
  return b.reshape(at('rows'), apart, [TILE * steps, channels, tiles, width]);
}

/** The stack of rows that come in tiles, as high as it is without what fills them. */
function rowsInOrder(b: GraphBuilder, rows: Value, height: number): Value {
  const [count, channels, tiles, width] = rows.shape as [number, number, number, number];
  const at = (what: string) => `${rows.name}.${what}`;
  const block = rows.block ?? 1;
  const steps = count / TILE;
  const apart = b.reshape(at('apart'), rows, [TILE, (steps * channels) / block, tiles, width * block]);
  const inOrder = b.transpose(at('in-order'), apart, [1, 2, 0, 3]);
  return b.crop(at('stack'), b.reshape(at('whole'), inOrder, [steps, channels, TILE * tiles, width]), [[2, 0, height]]);
}

/**
 * The columns come in turns along each row, then the rows do: in a third of the time of a DepthToSpace. Where channels stand
 * in blocks, in one go.
 */
function interleaved(b: GraphBuilder, phases: Steps): Value {
  const [first] = phases as [Value];
  const [steps, channels, height, width] = first.shape as [number, number, number, number];
  const at = (what: string) => `${first.name}.${what}`;
  if (first.block) {
    const all = b.concat(at('phases'), phases, 0);
    const apart = b.reshape(at('apart'), all, [2, 2, (steps * channels * height) / first.block, width, first.block]);
    const inTurns = b.transpose(at('in-turns'), apart, [2, 0, 3, 1, 4]);
    return b.reshape(at('whole'), inTurns, [steps, channels, 2 * height, 2 * width]);
  }
  const rows = [0, 2].map((phase) => {
    const columns = b.concat(at(`columns${phase}`), phases.slice(phase, phase + 2), 0);
    const flat = b.reshape(at(`flat${phase}`), columns, [2, steps * channels * height * width]);
    const inTurns = b.transpose(at(`in-turns${phase}`), flat, [1, 0]);
    return b.reshape(at(`rows${phase}`), inTurns, [steps * channels * height, 1, 2 * width]);
  });
  const inTurns = b.concat(at('rows'), rows, 1);
  return b.reshape(at('whole'), inTurns, [steps, channels, 2 * height, 2 * width]);
}
