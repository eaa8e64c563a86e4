import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { Figures, FigureVariants } from './figures.js';
import { checkPair, type Picture } from './picture.js';

export interface FigureRequest {
  readonly made: Picture;
  readonly truth: Picture;
  readonly variants: FigureVariants;
}

// The frames of an 8x sample, each of which is compared for as long as a GPU takes for all, without taking every core.
const MOST_THREADS = 4;

/**
 * Threads that compare pictures: SSIM of a 4K frame takes seconds, in which the event loop must turn. They start when they
 * are needed.
 */
export class FigurePool {
  readonly #limit = Math.max(1, Math.min(MOST_THREADS, availableParallelism() - 1));
  readonly #threads = new Set<Worker>();
  readonly #idle: Worker[] = [];
  readonly #waiting: (() => void)[] = [];
  readonly #closed = new AbortController();

  /** @throws FlavrError `BAD_ARGUMENT` if the sizes differ. Rejects too if the pool is closed meanwhile. */
  async compare(made: Picture, truth: Picture, variants: FigureVariants): Promise<Figures> {
    checkPair(made, truth);
    const thread = await this.#take();
    try {
      const request: FigureRequest = { made: ownMemory(made), truth: ownMemory(truth), variants };
      const memory = [request.made, request.truth].map(({ data }) => data.buffer as ArrayBuffer);
      thread.postMessage(request, memory);
      // Of a thread that fails, `once` rejects with its error.
      const [figures] = await once(thread, 'message', { signal: this.#closed.signal });
      this.#idle.push(thread);
      return figures as Figures;
    } catch (error) {
      this.#threads.delete(thread);
      void thread.terminate();
      throw error;
    } finally {
      this.#waiting.shift()?.();
    }
  }

  /** Ends all threads, whatever they are doing. */
  async close(): Promise<void> {
    this.#closed.abort();
    for (const wake of this.#waiting.splice(0)) wake();
    await Promise.all([...this.#threads].map((thread) => thread.terminate()));
  }

  async #take(): Promise<Worker> {
    for (;;) {
      this.#closed.signal.throwIfAborted();
      const idle = this.#idle.pop();
      if (idle) return idle;
      if (this.#threads.size < this.#limit) {
        const thread = new Worker(new URL('./figure-thread.js', import.meta.url));
        this.#threads.add(thread);
        return thread;
      }
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }
}

/** A copy whose memory can be handed to a thread; a view of a larger block would take all of it along. */
function ownMemory({ data, width, height }: Picture): Picture {
  return { data: data instanceof Uint8Array ? new Uint8Array(data) : new Float32Array(data), width, height };
}
