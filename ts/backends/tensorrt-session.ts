import { FlavrError } from '../errors.js';
import { type Frame, type FrameFormat, frameBytes } from '../frame.js';
import { type NativeAddon, type NativePlan, type NativeSession, nativeError } from '../native.js';
import type { BackendName, Batch, InferredWindow, Lane, Session, SessionStats, Slot } from './backend.js';

/** Gives the engine for a factor that was not prepared when the session was opened. */
export type PlanSource = (factor: number, options: Parameters<Session['prepare']>[1]) => Promise<NativePlan>;

class DeviceSlot implements Slot {
  readonly lane: DeviceLane;
  readonly index: number;

  constructor(lane: DeviceLane, index: number) {
    this.lane = lane;
    this.index = index;
  }
}

class DeviceLane implements Lane {
  readonly number: number;
  readonly #session: TensorRtSession;

  constructor(session: TensorRtSession, capacity: number) {
    this.#session = session;
    this.number = session.call((native) => native.openLane(capacity));
  }

  upload(frame: Frame, options?: { copy?: boolean }): Slot {
    const copy = options?.copy ?? false;
    return new DeviceSlot(
      this,
      this.#session.call((native) => native.upload(this.number, frame, copy)),
    );
  }

  free(slot: Slot): void {
    if (!this.#session.disposed) this.#session.call((native) => native.free(this.number, (slot as DeviceSlot).index));
  }

  close(): void {
    if (!this.#session.disposed) this.#session.call((native) => native.closeLane(this.number));
  }
}

/** A session of the native addon: what it takes to speak {@link Session}. All work is done on native threads. */
export class TensorRtSession implements Session {
  readonly backend: BackendName;
  readonly #addon: NativeAddon;
  readonly #native: NativeSession;
  readonly #frameBytes: number;
  readonly #plans: PlanSource;
  /** By factor: ready, or being made so. */
  readonly #prepared = new Map<number, Promise<void>>();
  #disposed: Promise<void> | undefined;
  #lastStats: SessionStats | undefined;

  constructor(
    backend: BackendName,
    addon: NativeAddon,
    native: NativeSession,
    format: FrameFormat,
    factors: readonly number[],
    plans: PlanSource,
  ) {
    this.backend = backend;
    this.#addon = addon;
    this.#native = native;
    this.#frameBytes = frameBytes(format);
    this.#plans = plans;
    for (const factor of factors) this.#prepared.set(factor, Promise.resolve());
  }

  get disposed(): boolean {
    return this.#disposed !== undefined;
  }

  /** What native code refuses becomes an error of ours. */
  call<T>(body: (native: NativeSession) => T): T {
    if (this.disposed) throw new FlavrError('DISPOSED', 'The session was disposed of; open another one.');
    try {
      return body(this.#native);
    } catch (error) {
      throw nativeError(error);
    }
  }

  prepare(factor: number, options?: Parameters<Session['prepare']>[1]): Promise<void> {
    let ready = this.#prepared.get(factor);
    if (ready === undefined) {
      ready = this.#prepare(factor, options);
      this.#prepared.set(factor, ready);
      // A factor that failed may be tried again.
      ready.catch(() => this.#prepared.delete(factor));
    }
    return ready;
  }

  async #prepare(factor: number, options: Parameters<Session['prepare']>[1]): Promise<void> {
    const plan = await this.#plans(factor, options);
    await this.call((native) => native.prepare([plan])).catch((error) => {
      throw nativeError(error);
    });
  }

  openLane(capacity: number): Lane {
    return new DeviceLane(this, capacity);
  }

  async infer({ factor, windows }: Batch): Promise<readonly InferredWindow[]> {
    const slots = new Uint32Array(windows.reduce((sum, window) => sum + 2 * window.slots.length, 0));
    const keep = new Uint32Array(windows.length);
    let at = 0;
    for (const [i, window] of windows.entries()) {
      for (const slot of window.slots as readonly DeviceSlot[]) {
        slots[at++] = slot.lane.number;
        slots[at++] = slot.index;
      }
      if (window.keepIn) keep[i] = (window.keepIn as DeviceLane).number;
    }
    const { frames, kept } = await this.call((native) => native.infer(factor, slots, keep)).catch((error) => {
      throw nativeError(error);
    });
    const outputs = factor - 1;
    const keptSlots = kept.values();
    return windows.map(({ keepIn }, i) => {
      const own = frames.slice(i * outputs, (i + 1) * outputs);
      const slots = keepIn ? own.map(() => new DeviceSlot(keepIn as DeviceLane, keptSlots.next().value!)) : [];
      return { frames: own, slots };
    });
  }

  allocFrame(): Frame {
    return this.call((native) => native.allocFrame()) ?? new Uint8Array(this.#frameBytes);
  }

  release(frame: Frame): void {
    this.#addon.releaseFrame(frame);
  }

  stats(): SessionStats {
    if (this.#lastStats) return this.#lastStats;
    const { deviceBytes, pinnedBytes, ...stats } = this.#native.stats();
    return { ...stats, memoryBytes: deviceBytes + pinnedBytes };
  }

  dispose(): Promise<void> {
    if (this.#disposed === undefined) {
      this.#lastStats = this.stats();
      this.#disposed = this.#native.close();
    }
    return this.#disposed;
  }
}
