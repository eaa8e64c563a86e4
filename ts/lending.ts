import type { Frame } from './frame.js';

/** How often one frame is still to be shown or was shown and not released, and whether anything else needs it. */
interface Loan {
  shows: number;
  /** Streams that may still show it or read from it. */
  holders: number;
}

/**
 * Keeps a frame's memory from being reused too early: the same frame may be shown several times (at a cut, at a target
 * rate), and its memory is free only once each of these was released and no stream can show it again.
 */
export class Lending {
  readonly #giveBack: (frame: Frame) => void;
  readonly #loans = new WeakMap<Frame, Loan>();

  constructor(giveBack: (frame: Frame) => void) {
    this.#giveBack = giveBack;
  }

  hold(frame: Frame): void {
    const loan = this.#loans.get(frame);
    if (loan) loan.holders++;
    else this.#loans.set(frame, { shows: 0, holders: 1 });
  }

  /**
   * A stream is done with the frame, having shown it `shows` times.
   * @param owned whether the memory is ours to give back if it was never shown.
   */
  letGo(frame: Frame, shows: number, owned: boolean): void {
    const loan = this.#loans.get(frame)!;
    loan.holders--;
    if (loan.holders === 0 && loan.shows <= 0) this.#end(frame, owned || shows > 0);
  }

  show(frame: Frame): void {
    this.#loans.get(frame)!.shows++;
  }

  /** The caller is done with a frame that it was shown, or that it never handed in. */
  release(frame: Frame): void {
    const loan = this.#loans.get(frame);
    if (!loan) this.#giveBack(frame);
    else if (--loan.shows <= 0 && loan.holders === 0) this.#end(frame, true);
  }

  #end(frame: Frame, giveBack: boolean): void {
    this.#loans.delete(frame);
    if (giveBack) this.#giveBack(frame);
  }
}
