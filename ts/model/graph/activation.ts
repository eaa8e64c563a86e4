import type { GraphBuilder, Value } from './builder.js';
import type { Steps } from './lowering-2d.js';

/**
 * An activation that is computed either step by step, each [B, C, H, W], or as the stack of all steps, [T, C, H, W].
 * Whichever form it was not made in is put together when it is first asked for.
 */
export class Activation {
  /** Whether the stack is what it was made in. */
  readonly stacked: boolean;
  /** Of each step. */
  readonly shape: readonly number[];
  /** How many steps it has. */
  readonly length: number;
  readonly #make: { readonly steps: () => Steps; readonly stack: () => Value };
  #steps: Steps | undefined;
  #stack: Value | undefined;

  private constructor(
    stacked: boolean,
    shape: readonly number[],
    length: number,
    make: { readonly steps: () => Steps; readonly stack: () => Value },
  ) {
    this.stacked = stacked;
    this.shape = shape;
    this.length = length;
    this.#make = make;
  }

  static ofSteps(b: GraphBuilder, steps: Steps): Activation {
    const [first] = steps as [Value];
    return new Activation(false, first.shape, steps.length, {
      steps: () => steps,
      stack: () => b.concat(`${first.name}.stack`, steps, 0),
    });
  }

  static ofStack(b: GraphBuilder, stack: Value): Activation {
    return new Activation(true, stack.shape.with(0, 1), stack.shape[0]!, {
      steps: () =>
        Array.from({ length: stack.shape[0]! }, (_, t) => b.slice(`${stack.name}.t${t}`, stack, 0, t, t + 1)),
      stack: () => stack,
    });
  }

  /** An operation of both that can be made in either form, and gives so many channels. */
  static joined(
    name: string,
    a: Activation,
    c: Activation,
    channels: number,
    join: (name: string, a: Steps, c: Steps) => Steps,
  ): Activation {
    return new Activation(a.stacked || c.stacked, a.shape.with(1, channels), a.length, {
      steps: () => join(name, a.steps, c.steps),
      stack: () => join(`${name}.stack`, [a.stack], [c.stack])[0]!,
    });
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
}
