import { FlavrError } from '../errors.js';
import { type Frame, type FrameFormat, frameBytes } from '../frame.js';
import type { PlannedGraph } from '../model/graph-spec.js';
import type { Batch, InferredWindow, Lane, Session, SessionOptions, SessionStats, Slot } from './backend.js';
import { CpuProcess, type GraphOptions } from './cpu-process.js';
import { FramePool } from './frame-pool.js';

// Enough for the frames on their way through a pipeline of decoding, model and encoding.
const MOST_IDLE_FRAMES = 64;

interface CpuSlot extends Slot {
  readonly number: number;
}

interface CpuLane extends Lane {
  /** A slot whose content the process makes itself. */
  take(): CpuSlot;
}

export interface CpuSessionOptions extends GraphOptions {
  readonly format: FrameFormat;
  /** Plans and checks the graph of a pass factor. */
  readonly graph: (factor: number, block: number) => PlannedGraph;
  readonly memoryBytes: () => number;
  /** What its process runs. Default: ONNX Runtime as it is installed. */
  readonly program?: URL | undefined;
}

/** Frames of bytes, and graphs by pass factor, in a process that runs ONNX Runtime. */
export class CpuSession implements Session {
  readonly backend = 'cpu';
  readonly #options: CpuSessionOptions;
  readonly #pool: FramePool;
  readonly #process: CpuProcess;
  readonly #prepared = new Map<number, Promise<void>>();
  #slots = 0;
  #disposed: Promise<void> | undefined;
  #counts = { windows: 0, batches: 0, hostCopiesIn: 0, hostCopiesOut: 0, inferMs: 0 };

  constructor(options: CpuSessionOptions) {
    this.#options = options;
    const bytes = frameBytes(options.format);
    this.#pool = new FramePool(bytes, MOST_IDLE_FRAMES);
    this.#process = new CpuProcess(
      (header) => Array.from({ length: header.bytes / bytes }, () => this.#pool.take()),
      options.program,
    );
  }

  prepare(factor: number, { onProgress }: { onProgress?: SessionOptions['onProgress'] } = {}): Promise<void> {
    let ready = this.#prepared.get(factor);
    if (!ready) {
      onProgress?.({ stage: 'load model', fraction: undefined });
      ready = this.#process.open(factor, (block) => this.#options.graph(factor, block), this.#options);
      this.#prepared.set(factor, ready);
      ready.catch(() => this.#prepared.delete(factor));
    }
    return ready;
  }

  openLane(_capacity: number): Lane {
    const slots = new Set<CpuSlot>();
    const free = (freed: readonly CpuSlot[]) => {
      for (const slot of freed) slots.delete(slot);
      if (freed.length > 0) this.#process.send({ op: 'free', bytes: 0, slots: numbers(freed) });
    };
    const lane: CpuLane = {
      take: () => {
        const slot = { lane, number: this.#slots++ };
        slots.add(slot);
        return slot;
      },
      upload: (frame, { copy = false } = {}) => {
        const slot = lane.take();
        this.#counts.hostCopiesIn++;
        const request = { op: 'upload', bytes: frame.length, slot: slot.number } as const;
        this.#process.send(request, copy ? frame.slice() : frame);
        return slot;
      },
      free: (slot) => free([slot as CpuSlot]),
      close: () => free([...slots]),
    };
    return lane;
  }

  async infer({ factor, windows }: Batch): Promise<readonly InferredWindow[]> {
    const kept = windows.map(({ keepIn }) => (keepIn ? takeSlots(keepIn as CpuLane, factor - 1) : []));
    const { header, payload } = await this.#process.ask('done', {
      op: 'infer',
      bytes: 0,
      graph: factor,
      windows: windows.map(({ slots }, i) => ({ slots: numbers(slots), keep: numbers(kept[i]!) })),
    });
    this.#counts.windows += windows.length;
    this.#counts.batches++;
    this.#counts.inferMs += header.ms;
    this.#counts.hostCopiesOut += payload.length;
    if (header.peaks.includes(null)) {
      for (const frame of payload) this.release(frame);
      for (const slot of kept.flat()) slot.lane.free(slot);
      throw new FlavrError(
        'NUMERIC_FAILURE',
        'The model gave a value that is not finite. Check the checkpoint, or use another precision.',
      );
    }
    return windows.map((_window, i) => ({
      frames: payload.slice(i * (factor - 1), (i + 1) * (factor - 1)),
      slots: kept[i]!,
    }));
  }

  allocFrame(): Frame {
    return this.#pool.take();
  }

  release(frame: Frame): void {
    this.#pool.release(frame);
  }

  stats(): SessionStats {
    return {
      ...this.#counts,
      gathers: 0,
      framesPooled: this.#pool.idle,
      framesLent: this.#pool.lent,
      memoryBytes: this.#options.memoryBytes(),
    };
  }

  /** Drops what runs: its results could reach nobody. */
  dispose(): Promise<void> {
    this.#disposed ??= this.#process.close().then(() => this.#pool.clear());
    return this.#disposed;
  }
}

const takeSlots = (lane: CpuLane, count: number): CpuSlot[] => Array.from({ length: count }, () => lane.take());

const numbers = (slots: readonly Slot[]): number[] => slots.map((slot) => (slot as CpuSlot).number);
