import { createHash } from 'node:crypto';
import type { Backend, Batch, InferredWindow, Lane, Session, SessionOptions, Slot } from '../../ts/backends/backend.js';
import { FramePool } from '../../ts/backends/frame-pool.js';
import { FlavrError } from '../../ts/errors.js';
import { type Frame, frameBytes } from '../../ts/frame.js';
import type { GraphModel } from '../../ts/model/config.js';

/** New frame number `index` (from 0) of a window: bytes that no other window, order of frames or index gives. */
export function fakeOutput(frames: readonly Frame[], factor: number, index: number): Frame {
  const hash = createHash('sha256').update(`${factor} ${index} `);
  for (const frame of frames) hash.update(frame);
  return new Uint8Array(hash.digest()).slice(0, frames[0]!.length);
}

export function fakeModel(factor: number, inputs: number): GraphModel {
  const bytes = new Uint8Array();
  return { kind: 'graph', inputs, factor, height: 1, width: 1, bytes, name: 'fake', hash: '', metadata: {} };
}

interface FakeSlot extends Slot {
  /** The caller's own memory, until a window took it in; a copy from then on. */
  frame: Frame;
  read: boolean;
}

interface Wiring {
  /** How long a batch takes: a promise to wait for. */
  readonly pace?: () => Promise<void>;
  /** Called with the windows of each batch when it starts; what it throws the batch rejects with. */
  readonly onBatch?: (windows: readonly (readonly Frame[])[]) => void;
}

/**
 * A session without a model. Frames are read in place as late as the contract allows, and every rule of the contract that
 * a caller could break is checked. It shows nothing about FLAVR's numbers.
 */
export class FakeSession implements Session {
  readonly backend = 'cpu';
  readonly batches: number[] = [];
  mostInFlight = 0;
  /** Uploads that asked for a copy. */
  copies = 0;
  disposed = false;
  readonly #options: SessionOptions;
  readonly #wiring: Wiring;
  readonly #slots = new Map<Lane, Set<FakeSlot>>();
  readonly #pool: FramePool;
  readonly #prepared = new Set<number>();
  /** Batches run one after another, as on a device. */
  #device: Promise<unknown> = Promise.resolve();
  #inFlight = 0;

  constructor(options: SessionOptions, wiring: Wiring) {
    this.#options = options;
    this.#wiring = wiring;
    this.#pool = new FramePool(frameBytes(options.format), 1000);
    for (const factor of options.factors) this.#prepared.add(factor);
  }

  get openLanes(): number {
    return this.#slots.size;
  }

  async prepare(factor: number): Promise<void> {
    this.#prepared.add(factor);
  }

  openLane(capacity: number): Lane {
    const slots = new Set<FakeSlot>();
    const lane: Lane & { add(frame: Frame): FakeSlot } = {
      add: (frame) => {
        const slot = { lane, frame, read: false };
        slots.add(slot);
        if (slots.size > capacity) throw new Error(`a lane of ${capacity} slots took ${slots.size}`);
        return slot;
      },
      upload: (frame, { copy = false } = {}) => {
        if (copy) this.copies++;
        return lane.add(copy ? frame.slice() : frame);
      },
      free: (slot) => {
        if (!slots.delete(slot as FakeSlot)) throw new Error('a slot was freed twice');
      },
      close: () => {
        if (!this.#slots.delete(lane)) throw new Error('a lane was closed twice');
      },
    };
    this.#slots.set(lane, slots);
    return lane;
  }

  async infer({ factor, windows }: Batch): Promise<readonly InferredWindow[]> {
    if (this.disposed) throw new Error('infer after dispose');
    if (!this.#prepared.has(factor)) throw new Error(`factor ${factor} was not prepared`);
    if (windows.length > this.#options.batch) throw new Error(`a batch of ${windows.length} windows`);
    this.mostInFlight = Math.max(this.mostInFlight, ++this.#inFlight);
    if (this.#inFlight > this.#options.inFlight) throw new Error(`${this.#inFlight} batches in flight`);
    this.batches.push(windows.length);
    const run = this.#device.then(() => this.#run({ factor, windows }));
    this.#device = run.catch(() => {});
    try {
      return await run;
    } finally {
      this.#inFlight--;
    }
  }

  async #run({ factor, windows }: Batch): Promise<InferredWindow[]> {
    await this.#wiring.pace?.();
    const inputs = windows.map(({ slots }) => slots.map((slot) => this.#read(slot as FakeSlot)));
    this.#wiring.onBatch?.(inputs);
    return windows.map(({ keepIn }, w) => {
      const frames = Array.from({ length: factor - 1 }, (_, index) => {
        const frame = this.#pool.take();
        frame.set(fakeOutput(inputs[w]!, factor, index));
        return frame;
      });
      const keep = keepIn as (Lane & { add(frame: Frame): FakeSlot }) | undefined;
      return { frames, slots: keep ? frames.map((frame) => keep.add(frame.slice())) : [] };
    });
  }

  #read(slot: FakeSlot): Frame {
    if (!this.#slots.get(slot.lane)?.has(slot)) throw new Error('a window used a slot that was freed');
    if (!slot.read) slot.frame = slot.frame.slice();
    slot.read = true;
    return slot.frame;
  }

  allocFrame(): Frame {
    return this.#pool.take();
  }

  release(frame: Frame): void {
    // What is read after its release must be noticed.
    const { lent } = this.#pool;
    this.#pool.release(frame);
    if (this.#pool.lent < lent) frame.fill(0xee);
  }

  stats() {
    const counts = {
      windows: 0,
      batches: 0,
      hostCopiesIn: 0,
      hostCopiesOut: 0,
      gathers: 0,
      inferMs: 0,
      memoryBytes: 0,
    };
    return { ...counts, framesPooled: this.#pool.idle, framesLent: this.#pool.lent };
  }

  async dispose(): Promise<void> {
    await this.#device;
    this.disposed = true;
  }
}

/** A backend whose sessions are fakes; `sessions` lists them. */
export function fakeBackend(wiring: Wiring = {}): Backend & { readonly sessions: FakeSession[] } {
  const sessions: FakeSession[] = [];
  return {
    name: 'cpu',
    sessions,
    unavailable: async () => undefined,
    openSession: async (options) => {
      if (options.factors.some((factor) => factor < 2)) throw new FlavrError('BAD_ARGUMENT', 'a factor below 2');
      const session = new FakeSession(options, wiring);
      sessions.push(session);
      return session;
    },
  };
}
