import { abortError, FlavrError, throwIfAborted } from '../errors.js';
import type { VideoInfo, VideoSink } from './types.js';

export type WrittenFrame = Parameters<VideoSink['write']>[0];

/**
 * What all sinks share: one operation at a time in the order of the calls, checked frames, and nothing left behind by a
 * failure or an abort.
 */
export abstract class SerialSink implements VideoSink {
  readonly path: string;
  readonly info: VideoInfo;
  abstract readonly warnings: readonly string[];
  /** Fires when the work must stop: the caller's signal, or `abort`. */
  protected readonly signal: AbortSignal;
  readonly #stop: AbortController;
  #last: Promise<void> = Promise.resolve();
  #state: 'open' | 'finished' | 'failed' = 'open';
  #failure: unknown;

  constructor(path: string, info: VideoInfo, stop: Stop) {
    this.path = path;
    this.info = info;
    this.#stop = stop.controller;
    this.signal = stop.signal;
  }

  /** Whether the frame is written, not left out. */
  protected abstract take(frame: WrittenFrame): Promise<boolean>;
  protected abstract complete(): Promise<void>;
  /** Releases everything and removes what was written. Called once, after a failure or an abort. */
  protected abstract discard(): Promise<void>;

  write(frame: WrittenFrame): Promise<boolean> {
    return this.#enqueue(() => {
      this.#check(frame);
      return this.take(frame);
    });
  }

  finish(): Promise<void> {
    return this.#enqueue(async () => {
      await this.complete();
      this.#state = 'finished';
    });
  }

  abort(): Promise<void> {
    this.#stop.abort();
    const aborted = this.#last.then(async () => {
      if (this.#state === 'open') await this.#fail(abortError(this.signal));
    });
    this.#last = aborted.catch(() => {});
    return aborted;
  }

  #enqueue<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(async () => {
      if (this.#state === 'failed') throw this.#failure;
      if (this.#state === 'finished') {
        throw new FlavrError('DISPOSED', `${this.path} is finished; nothing more can be written to it.`);
      }
      try {
        throwIfAborted(this.signal);
        return await work();
      } catch (error) {
        await this.#fail(error);
        throw error;
      }
    });
    this.#last = result.then(
      () => {},
      () => {},
    );
    return result;
  }

  async #fail(error: unknown): Promise<void> {
    this.#state = 'failed';
    this.#failure = error;
    await this.discard();
  }

  #check({ data, alpha }: WrittenFrame): void {
    const { width, height } = this.info;
    const pixels = width * height;
    if (data.byteLength !== pixels * 3) {
      throw new FlavrError(
        'BAD_FRAME',
        `A frame must have ${pixels * 3} bytes (${width}x${height} rgb24); got ${data.byteLength}.`,
      );
    }
    if (alpha && !this.info.alpha) {
      throw new FlavrError('BAD_FRAME', 'A frame with alpha came, but the sink was opened for frames without.');
    }
    if (alpha && alpha.byteLength !== pixels) {
      throw new FlavrError('BAD_FRAME', `The alpha of a frame must have ${pixels} bytes; got ${alpha.byteLength}.`);
    }
  }
}

/** The means to stop a sink: its own, joined with the caller's. */
export interface Stop {
  readonly controller: AbortController;
  readonly signal: AbortSignal;
}

export function createStop(signal: AbortSignal | undefined): Stop {
  const controller = new AbortController();
  return { controller, signal: signal ? AbortSignal.any([signal, controller.signal]) : controller.signal };
}
