import type { GraphBuilder, Value } from './builder.js';
import type { Steps } from './lowering-2d.js';

type Form = 'steps' | 'stack' | 'phases';

/**
 * An activation in the form in which it was made: step by step, each [B, C, H, W]; as the stack of all steps, [T, C, H, W];
 * or as phases, the stacks [T, C, H/2, W/2] of the even and odd columns of the even rows, then of the odd ones. As steps or
 * as a stack it is put together when it is first asked for.
 */
export class Activation {
  /** Of each step. */
  readonly shape: readonly number[];
  /** How many steps it has. */
  readonly length: number;
  readonly #b: GraphBuilder;
  readonly #form: Form;
  readonly #make: { readonly steps: () => Steps; readonly stack: () => Value };
  #phases: Steps | undefined;
  #steps: Steps | undefined;
  #stack: Value | undefined;

  private constructor(
    b: GraphBuilder,
    form: Form,
    shape: readonly number[],
    length: number,
    make: { readonly steps: () => Steps; readonly stack: () => Value },
  ) {
    this.#b = b;
    this.#form = form;
    this.shape = shape;
    this.length = length;
    this.#make = make;
  }

  static ofSteps(b: GraphBuilder, steps: Steps): Activation {
    const [first] = steps as [Value];
    return new Activation(b, 'steps', first.shape, steps.length, {
      steps: () => steps,
      stack: () => b.concat(`${first.name}.stack`, steps, 0),
    });
  }

  static ofStack(b: GraphBuilder, stack: Value): Activation {
    return new Activation(b, 'stack', stack.shape.with(0, 1), stack.shape[0]!, {
      steps: () => stepsOf(b, stack),
      stack: () => stack,
    });
  }

  static ofPhases(b: GraphBuilder, phases: Steps): Activation {
    const [steps, channels, height, width] = phases[0]!.shape as [number, number, number, number];
    const activation: Activation = new Activation(b, 'phases', [1, channels, 2 * height, 2 * width], steps, {
      steps: () => stepsOf(b, activation.stack),
      stack: () => interleaved(b, phases),
    });
    activation.#phases = phases;
    return activation;
  }

  /** An operation of both that can be made step by step or of stacks, and gives so many channels. */
  static joined(
    name: string,
    a: Activation,
    c: Activation,
    channels: number,
    join: (name: string, a: Steps, c: Steps) => Steps,
  ): Activation {
    return new Activation(a.#b, a.stacked || c.stacked ? 'stack' : 'steps', a.shape.with(1, channels), a.length, {
      steps: () => join(name, a.steps, c.steps),
      stack: () => join(`${name}.stack`, [a.stack], [c.stack])[0]!,
    });
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

  /** The values that make it up, in its form. */
  get parts(): Steps {
    return this.#phases ?? (this.stacked ? [this.stack] : this.steps);
  }

  /** Made in the same form, of what takes the place of each part. */
  of(parts: Steps): Activation {
    if (this.#phases) return Activation.ofPhases(this.#b, parts);
    return this.stacked ? Activation.ofStack(this.#b, parts[0]!) : Activation.ofSteps(this.#b, parts);
  }
}

const stepsOf = (b: GraphBuilder, stack: Value): Value[] =>
  Array.from({ length: stack.shape[0]! }, (_, t) => b.slice(`${stack.name}.t${t}`, stack, 0, t, t + 1));

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
