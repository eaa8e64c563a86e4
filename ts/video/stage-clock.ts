/**
 * How long each stage of some work took that goes on one step at a time. A stage inside another stops the outer one's time,
 * so that each has only what is its own.
 */
export class StageClock<Stage extends string> {
  readonly #now: () => number;
  readonly #ms = new Map<Stage, number>();
  #stage: Stage | undefined;
  #since = 0;

  constructor(now: () => number = performance.now.bind(performance)) {
    this.#now = now;
  }

  /** Elapsed milliseconds, waiting for the processor included. */
  ms(stage: Stage): number {
    return this.#ms.get(stage) ?? 0;
  }

  async time<T>(stage: Stage, work: () => Promise<T>): Promise<T> {
    const outer = this.#stage;
    this.#enter(stage);
    try {
      return await work();
    } finally {
      this.#enter(outer);
    }
  }

  timeSync<T>(stage: Stage, work: () => T): T {
    const outer = this.#stage;
    this.#enter(stage);
    try {
      return work();
    } finally {
      this.#enter(outer);
    }
  }

  #enter(stage: Stage | undefined): void {
    const now = this.#now();
    if (this.#stage !== undefined) this.#ms.set(this.#stage, this.ms(this.#stage) + now - this.#since);
    this.#stage = stage;
    this.#since = now;
  }
}

/** What is done to read a frame, and to write one. */
export type ReadClock = StageClock<'decode' | 'convertIn'>;
export type WriteClock = StageClock<'convertOut' | 'encode' | 'write'>;
