import { setImmediate as nextTurn } from 'node:timers/promises';

// What an event loop does not feel.
const SLICE_MS = 5;

/** Long work on the JavaScript thread, in slices: between them everybody else has a turn of the event loop. */
export class TimeSlices {
  #began = performance.now();

  /** To be awaited after each step; waits only when the slice is used up. */
  async pause(): Promise<void> {
    if (performance.now() - this.#began < SLICE_MS) return;
    await nextTurn();
    this.#began = performance.now();
  }
}
