import type { Frame } from '../frame.js';

/**
 * Ordinary memory for frames, each in an ArrayBuffer of its own, taken again once it was released. What is never released
 * is left to the garbage collector: the pool holds only what lies idle.
 */
export class FramePool {
  readonly #bytes: number;
  readonly #mostIdle: number;
  readonly #idle: ArrayBuffer[] = [];
  /** Weak, so that frames nobody releases can go. */
  #lent = new WeakSet<Frame>();
  #lentCount = 0;
  readonly #collected = new FinalizationRegistry<void>(() => this.#lentCount--);

  /**
   * @param bytes of one frame.
   * @param mostIdle frames kept for reuse; what is released beyond these is forgotten.
   */
  constructor(bytes: number, mostIdle: number) {
    this.#bytes = bytes;
    this.#mostIdle = mostIdle;
  }

  get idle(): number {
    return this.#idle.length;
  }

  get lent(): number {
    return this.#lentCount;
  }

  /**
   * Its content is whatever it was. Memory used again comes as a new object, so that a second release of the old one is
   * no release of the new.
   */
  take(): Frame {
    const frame = new Uint8Array(this.#idle.pop() ?? new ArrayBuffer(this.#bytes));
    this.#lent.add(frame);
    this.#lentCount++;
    this.#collected.register(frame, undefined, frame);
    return frame;
  }

  /** Takes a lent frame back; any other value has no effect. */
  release(frame: Frame): void {
    if (!this.#lent.delete(frame)) return;
    this.#collected.unregister(frame);
    this.#lentCount--;
    // A frame whose buffer was transferred away has no memory left to reuse.
    if (frame.length === this.#bytes && this.#idle.length < this.#mostIdle)
      this.#idle.push(frame.buffer as ArrayBuffer);
  }

  /** Forgets the idle frames. */
  clear(): void {
    this.#idle.length = 0;
  }
}
