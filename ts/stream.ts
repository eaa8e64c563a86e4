import type { Lane, Progress, Session, Slot } from './backends/backend.js';
import type { Dispatcher, WindowQueue } from './dispatch.js';
import { abortError, FlavrError, throwIfAborted } from './errors.js';
import { checkFrame, type Frame, type FrameFormat } from './frame.js';
import type { Lending } from './lending.js';
import { onAbort } from './on-abort.js';
import type { CallOptions, Cuts, FrameSource, TimedFrame, TimedOutput } from './options.js';
import { checkRational } from './rational.js';
import type { FrameId, Planner, RunStep, ShowStep, Step } from './windows.js';

/** What the streams of one interpolator share. */
export interface StreamHost {
  readonly session: Session;
  readonly dispatcher: Dispatcher;
  readonly lending: Lending;
  readonly format: FrameFormat;
  readonly copyInput: boolean;
  readonly onProgress: ((progress: Progress) => void) | undefined;
  /** Windows that a stream keeps under way, so that the session never waits for it. */
  readonly windowsAhead: number;
}

/** A frame on its way through a stream. */
interface Node {
  /** Source frames have it from the start, computed ones when their window has come back. */
  frame: Frame | undefined;
  /** Whether its memory is ours until it is shown. */
  readonly owned: boolean;
  /** Settles when `frame` is known; undefined for source frames. */
  readonly computed: Promise<void> | undefined;
  slot: Slot | undefined;
  /** Windows planned that take it in and have not come back. */
  uses: number;
  /** Whether such a window has come back. */
  read: boolean;
  shown: number;
  toShow: number;
  /** Whether the plan will not name it again. */
  retired: boolean;
}

interface Show {
  readonly node: Node;
  readonly step: ShowStep;
  /** How many source frames had come when this was planned. */
  readonly arrivals: number;
}

/**
 * Carries out a plan: reads the source a bounded number of frames ahead, has windows run, and shows the results in order.
 * Use once: `outputs()`.
 */
export class FrameStream {
  readonly #host: StreamHost;
  readonly #source: FrameSource<TimedFrame>;
  readonly #planner: Planner;
  readonly #isCut: (before: Frame, after: Frame, index: number) => boolean | Promise<boolean>;
  readonly #signal: AbortSignal | undefined;
  readonly #queue: WindowQueue;
  readonly #gapsAhead: number;
  /** [0] for source frames, [n] for what pass n-1 gave. Opened when first needed. */
  readonly #lanes: Lane[] = [];
  readonly #nodes = new Map<FrameId, Node>();
  readonly #shows: Show[] = [];
  /** Windows that have not come back. */
  readonly #computing = new Set<Promise<void>>();
  #arrivals = 0;
  #lastArrival: Frame | undefined;
  #sourceState: 'idle' | 'reading' | 'ended' = 'idle';
  /** What ends the stream once all shows before it are done, and what ends it at once. */
  #sourceError: { error: unknown } | undefined;
  #stopped: { error: unknown } | undefined;
  #cleaned = Promise.resolve();
  /** Wakes whoever waits for something to change. */
  #wakeConsumer: (() => void) | undefined;
  #wakeReader: (() => void) | undefined;

  constructor(host: StreamHost, source: FrameSource<TimedFrame>, planner: Planner, options: CallOptions) {
    this.#host = host;
    this.#source = source;
    this.#planner = planner;
    this.#isCut = cutTest(options.cuts);
    this.#signal = options.signal;
    this.#queue = host.dispatcher.open();
    this.#gapsAhead = Math.ceil(host.windowsAhead / Math.max(1, planner.windowsPerGap));
  }

  /** Ends the stream at once, with this error. Resolves when the session holds nothing of it. */
  stop(error: unknown): Promise<void> {
    if (!this.#stopped) {
      this.#stopped = { error };
      this.#queue.close(error);
      this.#cleaned = this.#cleanUp();
      this.#wakeConsumer?.();
      this.#wakeReader?.();
    }
    return this.#cleaned;
  }

  async *outputs(): AsyncGenerator<TimedOutput, void, undefined> {
    const signal = this.#signal;
    throwIfAborted(signal);
    const iterator =
      Symbol.asyncIterator in this.#source ? this.#source[Symbol.asyncIterator]() : this.#source[Symbol.iterator]();
    const heedNoMore = onAbort(signal, () => void this.stop(abortError(signal!)));
    try {
      void this.#read(iterator);
      for (let index = 0; ; index++) {
        const show = await this.#nextShow();
        if (!show) return;
        const { time, duration, original, position } = show.step;
        yield { data: show.data, time, duration, index, original, position };
      }
    } finally {
      heedNoMore();
      const failed = this.#stopped !== undefined || this.#sourceError !== undefined;
      void this.stop(new FlavrError('ABORTED', 'The stream was left before its end.'));
      const reading = this.#sourceState === 'reading';
      if (this.#sourceState !== 'ended') {
        const closed = closeSource(iterator).catch((error) => {
          // As in any loop: it is told of unless something else is.
          if (!failed && !reading) throw error;
        });
        // A source that is waited for may never come back.
        if (!reading) await closed;
      }
    }
  }

  /** The next show once its frame is known and may leave; undefined at the end. */
  async #nextShow(): Promise<{ data: Frame; step: ShowStep } | undefined> {
    for (;;) {
      if (this.#stopped) throw this.#stopped.error;
      const show = this.#shows[0];
      if (show && this.#mayLeave(show.node)) {
        const { node, step } = this.#shows.shift()!;
        const data = node.frame!;
        node.toShow--;
        node.shown++;
        this.#host.lending.show(data);
        this.#forgetIfDone(step.frame, node);
        this.#wakeReader?.();
        return { data, step };
      }
      if (!show && this.#sourceError) throw this.#sourceError.error;
      if (!show && this.#sourceState === 'ended') return undefined;
      await new Promise<void>((resolve) => {
        this.#wakeConsumer = resolve;
      });
    }
  }

  /**
   * Once a frame has come out its memory is the caller's again. So a source frame that windows still take in leaves when
   * the device has it: when the first of these windows has come back, or, if none is planned yet, by a copy.
   */
  #mayLeave(node: Node): boolean {
    if (!node.frame) return false;
    if (node.computed || node.read || (node.retired && node.uses === 0)) return true;
    if (node.uses > 0) return false;
    node.slot ??= this.#lane(0).upload(node.frame, { copy: true });
    return true;
  }

  async #read(iterator: AsyncIterator<TimedFrame> | Iterator<TimedFrame>): Promise<void> {
    try {
      for (;;) {
        while (!this.#stopped && this.#isAhead()) {
          await new Promise<void>((resolve) => {
            this.#wakeReader = resolve;
          });
        }
        if (this.#stopped) return;
        this.#sourceState = 'reading';
        const { done, value } = await iterator.next();
        this.#sourceState = done ? 'ended' : 'idle';
        if (this.#stopped) return;
        if (done) this.#apply(this.#planner.end());
        else await this.#arrive(value);
        this.#wakeConsumer?.();
        if (done) return;
      }
    } catch (error) {
      // A source that threw is at its end; one whose frame was refused is still to be closed.
      if (this.#sourceState === 'reading') this.#sourceState = 'ended';
      this.#sourceError = { error };
      this.#wakeConsumer?.();
    }
  }

  /** Whether enough of the source has been read beyond what is to be shown next. */
  #isAhead(): boolean {
    const next = this.#shows[0];
    return next !== undefined && this.#arrivals - next.arrivals >= this.#gapsAhead;
  }

  async #arrive(arrival: TimedFrame): Promise<void> {
    const { session, format, copyInput, lending } = this.#host;
    const index = this.#arrivals++;
    checkFrame(arrival?.data, format, index);
    checkRational(arrival.time, `The time of frame ${index}`);
    if (arrival.duration !== undefined) checkRational(arrival.duration, `The duration of frame ${index}`);
    let data = arrival.data;
    if (copyInput) {
      data = session.allocFrame();
      data.set(arrival.data);
    }
    const before = this.#lastArrival;
    this.#lastArrival = data;
    const cut = index > 0 && (arrival.cut === true || (await this.#isCut(before!, data, index)));
    if (this.#stopped) {
      if (copyInput) session.release(data);
      return;
    }
    const { id, steps } = this.#planner.push({ time: arrival.time, duration: arrival.duration, cut });
    this.#nodes.set(id, newNode(data, copyInput, undefined));
    lending.hold(data);
    this.#apply(steps);
  }

  #apply(steps: readonly Step[]): void {
    for (const step of steps) {
      if (step.step === 'run') this.#run(step);
      else {
        const node = this.#nodes.get(step.frame)!;
        if (step.step === 'show') {
          node.toShow++;
          this.#shows.push({ node, step, arrivals: this.#arrivals });
        } else {
          node.retired = true;
          this.#forgetIfDone(step.frame, node);
        }
      }
    }
  }

  #run(step: RunStep): void {
    const inputs = step.inputs.map((id) => ({ id, node: this.#nodes.get(id)! }));
    for (const { node } of inputs) node.uses++;
    const computed = this.#compute(step, inputs).finally(() => {
      this.#computing.delete(computed);
      for (const { id, node } of inputs) {
        node.uses--;
        node.read = true;
        this.#forgetIfDone(id, node);
      }
      this.#wakeConsumer?.();
    });
    this.#computing.add(computed);
    // Its failure stops the stream; nobody else needs to hear of it here.
    computed.catch((error) => void this.stop(error));
    for (const id of step.outputs) this.#nodes.set(id, newNode(undefined, true, computed));
  }

  async #compute(step: RunStep, inputs: readonly { node: Node }[]): Promise<void> {
    const awaited = inputs.flatMap(({ node }) => (node.frame ? [] : [node.computed]));
    if (awaited.length > 0) await Promise.all(awaited);
    const { session, onProgress } = this.#host;
    await session.prepare(step.factor, { onProgress });
    const { frames, slots } = await this.#queue.run(step.factor, () => ({
      slots: inputs.map(({ node }) => this.#slotOf(node)),
      keepIn: step.keep ? this.#lane(step.pass + 1) : undefined,
    }));
    for (const [i, id] of step.outputs.entries()) {
      const node = this.#nodes.get(id)!;
      node.frame = frames[i]!;
      node.slot = slots[i];
      this.#host.lending.hold(node.frame);
      this.#forgetIfDone(id, node);
    }
  }

  #slotOf(node: Node): Slot {
    if (!node.slot) {
      // A frame may have been transferred away since it was handed in.
      checkFrame(node.frame, this.#host.format);
      node.slot = this.#lane(0).upload(node.frame);
    }
    return node.slot;
  }

  /** Frees a frame that no window, no show and no later step needs. */
  #forgetIfDone(id: FrameId, node: Node): void {
    const { frame, slot } = node;
    if (!node.retired || node.uses > 0 || !frame) return;
    if (slot) slot.lane.free(slot);
    node.slot = undefined;
    if (node.toShow > 0) return;
    this.#nodes.delete(id);
    this.#host.lending.letGo(frame, node.shown, node.owned);
  }

  #lane(number: number): Lane {
    const { reach, keptDensities } = this.#planner;
    // From the first frame that the oldest window under way takes in to the last that the newest one does.
    const sourceFrames = 2 * (reach + 1) + this.#gapsAhead + 2;
    const density = number === 0 ? 1 : (keptDensities[number - 1] ?? 1);
    this.#lanes[number] ??= this.#host.session.openLane(sourceFrames * density);
    return this.#lanes[number];
  }

  /** Once the session holds no window of this stream, gives back what the stream holds. */
  async #cleanUp(): Promise<void> {
    await Promise.allSettled(this.#computing);
    for (const [id, node] of this.#nodes) {
      node.slot = undefined;
      node.toShow = 0;
      node.retired = true;
      this.#forgetIfDone(id, node);
    }
    for (const lane of this.#lanes) lane?.close();
  }
}

async function closeSource(iterator: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  await iterator.return?.();
}

function cutTest(cuts: Cuts = []): Exclude<Cuts, readonly number[]> {
  if (typeof cuts === 'function') return cuts;
  const starts = new Set(cuts);
  return (_before, _after, index) => starts.has(index);
}

function newNode(frame: Frame | undefined, owned: boolean, computed: Promise<void> | undefined): Node {
  return { frame, owned, computed, slot: undefined, uses: 0, read: false, shown: 0, toShow: 0, retired: false };
}
