import type { InferredWindow, Session, Window } from './backends/backend.js';
import { FlavrError } from './errors.js';

export interface DispatchLimits {
  /** Most windows in one batch. */
  readonly batch: number;
  /** How long a batch that is not full waits for more windows while the device is free, in milliseconds. */
  readonly batchWaitMs: number;
  /** Most batches handed to the session at a time. */
  readonly inFlight: number;
  /** Most clients that have windows queued at a time. */
  readonly maxActive: number;
  /** Most clients that wait to be one of those. */
  readonly maxQueued: number;
}

interface Job {
  readonly client: Client;
  readonly factor: number;
  /** Makes the window when its batch is put together: frames are uploaded no earlier than needed. */
  readonly window: () => Window;
  readonly resolve: (result: InferredWindow) => void;
  readonly reject: (error: unknown) => void;
}

/** One call's or stream's way to the session. */
export interface WindowQueue {
  /**
   * Runs a window. Windows of a queue are handed to the session in the order they come.
   * @throws FlavrError `BUSY` if too many queues wait already; what the session throws.
   */
  run(factor: number, window: () => Window): Promise<InferredWindow>;
  /** Rejects, with `error`, what has not been handed to the session and all that comes later. */
  close(error: unknown): void;
}

class Client {
  readonly jobs: Job[] = [];
  /** Once taken in it is never refused. */
  admitted = false;
  closed: { error: unknown } | undefined;
}

/**
 * Puts the windows of many calls into batches for one session. Calls take turns batch by batch: a batch is filled from one
 * call first, since neighbouring windows of one video need no copies on the device, and then from those that follow.
 */
export class Dispatcher {
  readonly #session: Session;
  readonly #limits: DispatchLimits;
  /** Clients with windows queued, in the order of their turns. */
  readonly #active: Client[] = [];
  /** Clients with windows queued that wait for a place among those. */
  readonly #waiting: Client[] = [];
  #running = 0;
  #timer: NodeJS.Timeout | undefined;
  #scheduled = false;

  constructor(session: Session, limits: DispatchLimits) {
    this.#session = session;
    this.#limits = limits;
  }

  open(): WindowQueue {
    const client = new Client();
    return {
      run: (factor, window) =>
        new Promise((resolve, reject) => this.#enqueue({ client, factor, window, resolve, reject })),
      close: (error) => this.#close(client, error),
    };
  }

  #enqueue(job: Job): void {
    const refusal = this.#admit(job.client);
    if (refusal) {
      job.reject(refusal.error);
      return;
    }
    job.client.jobs.push(job);
    this.#schedule();
  }

  /** Gives a client a place, or one in the line for it, or says why not. */
  #admit(client: Client): { error: unknown } | undefined {
    if (client.closed || client.jobs.length > 0) return client.closed;
    const { maxActive, maxQueued } = this.#limits;
    const [active, waiting] = [this.#active.length, this.#waiting.length];
    if (active < maxActive) this.#active.push(client);
    else if (client.admitted || waiting < maxQueued) this.#waiting.push(client);
    else {
      const counts = `${active} calls are being served (maxActive) and ${waiting} wait (maxQueued)`;
      return { error: new FlavrError('BUSY', `${counts}; try again later, or raise these limits.`) };
    }
    client.admitted = true;
    return undefined;
  }

  #close(client: Client, error: unknown): void {
    client.closed ??= { error };
    for (const job of client.jobs.splice(0)) job.reject(error);
    this.#leave(client);
  }

  /** Gives up the place of a client that has nothing queued. */
  #leave(client: Client): void {
    for (const list of [this.#active, this.#waiting]) {
      const at = list.indexOf(client);
      if (at >= 0) list.splice(at, 1);
    }
    while (this.#active.length < this.#limits.maxActive && this.#waiting.length > 0) {
      this.#active.push(this.#waiting.shift()!);
    }
    if (this.#active.length === 0) this.#stopWaiting();
  }

  /** Looks for work once the current turn of the event loop has queued all it has: a batch may become fuller. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    queueMicrotask(() => {
      this.#scheduled = false;
      this.#dispatch(false);
    });
  }

  #dispatch(waited: boolean): void {
    while (this.#running < this.#limits.inFlight && this.#active.length > 0) {
      const { batch, batchWaitMs } = this.#limits;
      if (!waited && batchWaitMs > 0 && this.#available() < batch) {
        this.#timer ??= setTimeout(() => {
          this.#timer = undefined;
          this.#dispatch(true);
        }, batchWaitMs);
        return;
      }
      this.#stopWaiting();
      waited = false;
      void this.#hand(this.#collect(batch));
    }
  }

  #stopWaiting(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  /** Windows that the next batch could hold. */
  #available(): number {
    const factor = this.#active[0]!.jobs[0]!.factor;
    let count = 0;
    for (const { jobs } of this.#active) for (const job of jobs) if (job.factor === factor) count++;
    return count;
  }

  /** The next batch: all of one factor, taken from the clients in turn. */
  #collect(size: number): Job[] {
    const batch: Job[] = [];
    const factor = this.#active[0]!.jobs[0]!.factor;
    for (const client of [...this.#active]) {
      while (batch.length < size && client.jobs[0]?.factor === factor) batch.push(client.jobs.shift()!);
      if (batch.at(-1)?.client !== client) continue;
      this.#leave(client);
      // Served: behind the others, and behind those that wait for a place.
      const room = this.#active.length < this.#limits.maxActive;
      if (client.jobs.length > 0) (room ? this.#active : this.#waiting).push(client);
      if (batch.length === size) break;
    }
    return batch;
  }

  async #hand(jobs: Job[]): Promise<void> {
    const { factor } = jobs[0]!;
    const ready: { job: Job; window: Window }[] = [];
    for (const job of jobs) {
      try {
        ready.push({ job, window: job.window() });
      } catch (error) {
        job.reject(error);
      }
    }
    if (ready.length === 0) return;
    this.#running++;
    try {
      await this.#infer(factor, ready);
    } finally {
      this.#running--;
      this.#dispatch(false);
    }
  }

  async #infer(factor: number, ready: readonly { job: Job; window: Window }[]): Promise<void> {
    try {
      const results = await this.#session.infer({ factor, windows: ready.map(({ window }) => window) });
      for (const [i, { job }] of ready.entries()) job.resolve(results[i]!);
    } catch (error) {
      // One call's bad window must not fail the others that shared the batch.
      const shared = ready.length > 1 && error instanceof FlavrError && error.code === 'NUMERIC_FAILURE';
      if (shared) for (const entry of ready) await this.#infer(factor, [entry]);
      else for (const { job } of ready) job.reject(error);
    }
  }
}
