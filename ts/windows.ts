import { FlavrError } from './errors.js';
import { passesFor } from './factors.js';
import type { GapPicks, Pacing, Pick } from './pacing.js';
import { compare, type Rational, rational, subtract } from './rational.js';

/** Stands for one frame, source or computed, in a plan. */
export type FrameId = number;

/** Run the model on a window. */
export interface RunStep {
  readonly step: 'run';
  /** Of this pass. */
  readonly factor: number;
  /** 0 for windows of source frames, 1 for windows of what those gave, and so on. */
  readonly pass: number;
  /** 2C frames in order of time, the same more than once at an edge of the shot. All were named in an earlier step. */
  readonly inputs: readonly FrameId[];
  /** The factor-1 new frames. */
  readonly outputs: readonly FrameId[];
  /** Whether windows of a later pass may take the outputs in. */
  readonly keep: boolean;
}

/** Show a frame in the result. Shows come in the order of the result. */
export interface ShowStep extends Omit<Pick, 'instant'> {
  readonly step: 'show';
  readonly frame: FrameId;
  readonly original: boolean;
  /** In source frames: 7/2 lies midway between frames 3 and 4. */
  readonly position: Rational;
}

/** No further step will name this frame. */
export interface RetireStep {
  readonly step: 'retire';
  readonly frame: FrameId;
}

export type Step = RunStep | ShowStep | RetireStep;

/** A source frame as the planner sees it. */
export interface Arrival {
  readonly time: Rational;
  readonly duration?: Rational | undefined;
  /** Whether a new shot begins here. */
  readonly cut: boolean;
}

/** The frames between those of the pass before, or the source frames themselves (`parent` undefined). */
interface Level {
  readonly parent: Level | undefined;
  readonly pass: number;
  readonly factor: number;
  /** Frames per source frame: the product of the factors down to here. */
  readonly density: number;
  /** How many frames of this level beyond an end of a gap the later passes in that gap may use. */
  reach: number;
  /** Whether some factor in use has a later pass. */
  keep: boolean;
  /** The next passes by their factor. */
  readonly next: Map<number, Level>;
  /** Outputs of the windows planned so far, by the gap of the parent level that they fill. */
  readonly windows: Map<number, readonly FrameId[]>;
}

/**
 * Plans which windows are run and which frames are shown, from frames that come one by one. Holds no frames, only ids,
 * and forgets what no later step can need, so a plan may go on for ever.
 *
 * The frames of a gap with factor k are what k-fold interpolation of the whole clip has there. Windows none of whose
 * outputs is shown, directly or through a later pass, are not run.
 */
export class Planner {
  readonly #half: number;
  readonly #factor: number;
  readonly #pacing: Pacing;
  readonly #source: Level = {
    parent: undefined,
    pass: -1,
    factor: 1,
    density: 1,
    reach: 0,
    keep: false,
    next: new Map(),
    windows: new Map(),
  };
  /** The deepest level of each factor. */
  readonly #levels = new Map<number, Level>();

  #steps: Step[] = [];
  #ids = 0;
  /** Frames seen in all, and how many of them came before the current shot. */
  #seen = 0;
  #shotStart = 0;
  /** Frames of the current shot that may still be named, from the `#firstKept`-th on. */
  #frames: { id: FrameId; time: Rational }[] = [];
  #firstKept = 0;
  /** Gaps of the current shot decided on by the pacing, and of these the first that is not yet planned. */
  #paced: GapPicks[] = [];
  #gap = 0;
  #lastDuration: Rational | undefined;

  /**
   * @param inputs 2C, the frames of a window.
   * @param factor m, the model's own factor.
   * @throws FlavrError `UNSUPPORTED_FACTOR`, `BAD_ARGUMENT` if the model cannot do what the pacing asks for.
   */
  constructor(inputs: number, factor: number, pacing: Pacing) {
    this.#half = inputs / 2;
    this.#factor = factor;
    this.#pacing = pacing;
    this.#levels.set(1, this.#source);
    for (const k of pacing.factors) this.#levels.set(k, this.#prepareLevels(k));
  }

  /** How many frames before a gap's first and after its second its windows may use. */
  get reach(): number {
    return this.#source.reach;
  }

  /** Windows that filling one gap may take, over all passes. */
  get windowsPerGap(): number {
    let most = 0;
    for (const level of this.#levels.values()) {
      let windows = 0;
      for (let l: Level = level; l.parent; l = l.parent) windows += l.parent.density;
      most = Math.max(most, windows);
    }
    return most;
  }

  /** For each pass, the most frames per source frame that its outputs are kept for the next. */
  get keptDensities(): readonly number[] {
    const densities: number[] = [];
    const visit = (level: Level) => {
      if (level.parent && level.keep) densities[level.pass] = Math.max(densities[level.pass] ?? 0, level.density);
      for (const next of level.next.values()) visit(next);
    };
    visit(this.#source);
    return densities;
  }

  /** The next source frame. Its id may appear in the steps at once. */
  push({ time, duration, cut }: Arrival): { id: FrameId; steps: Step[] } {
    const last = this.#frames.at(-1);
    if (last && compare(time, last.time) <= 0) {
      const [before, now] = [last.time, time].map(({ num, den }) => `${num}/${den}`);
      throw new FlavrError(
        'BAD_ARGUMENT',
        `Times must increase: frame ${this.#seen} is at ${now} s, the one before it at ${before} s.`,
      );
    }
    const id = this.#ids++;
    if (last && cut) this.#crossCut(last, { id, time });
    else if (last) this.#paced.push(this.#pacing.gap(last.time, time));
    this.#frames.push({ id, time });
    this.#seen++;
    this.#lastDuration = duration ?? (last && subtract(time, last.time));
    this.#planGaps(false);
    return { id, steps: this.#take() };
  }

  /** The source is at its end. */
  end(): Step[] {
    const last = this.#frames.at(-1);
    if (last) {
      this.#planGaps(true);
      const position = rational(this.#seen - 1);
      for (const { time, duration } of this.#pacing.last(last.time, this.#lastDuration)) {
        this.#steps.push({ step: 'show', frame: last.id, time, duration, original: true, position });
      }
      this.#retireShot();
    }
    return this.#take();
  }

  #take(): Step[] {
    const steps = this.#steps;
    this.#steps = [];
    return steps;
  }

  /** Frames of the current shot so far. */
  get #length(): number {
    return this.#firstKept + this.#frames.length;
  }

  #prepareLevels(k: number): Level {
    let level = this.#source;
    for (const factor of passesFor(this.#factor, k)) {
      let next = level.next.get(factor);
      if (!next) {
        const density = level.density * factor;
        next = {
          parent: level,
          pass: level.pass + 1,
          factor,
          density,
          reach: 0,
          keep: false,
          next: new Map(),
          windows: new Map(),
        };
        level.next.set(factor, next);
      }
      level.keep = true;
      level = next;
    }
    // From the last pass up: a window next to an end of the gap takes in half a window beyond it, and what it takes in may
    // itself be an output of a window that lies further out.
    for (let child = level; child.parent; child = child.parent) {
      const outer = child.reach > 0 ? Math.floor((child.reach - 1) / child.factor) + 1 : 0;
      child.parent.reach = Math.max(child.parent.reach, this.#half - 1 + outer);
    }
    return level;
  }

  /** Plans every gap whose windows' frames have all come (all gaps, once the shot is `complete`). */
  #planGaps(complete: boolean): void {
    while (this.#paced.length > 0 && (complete || this.#gap + 1 + this.#reachOf(this.#paced[0]!.k) < this.#length)) {
      this.#planGap(this.#paced.shift()!);
    }
  }

  #reachOf(k: number): number {
    return k === 1 ? 0 : this.reach;
  }

  #planGap({ k, picks }: GapPicks): void {
    const level = this.#levels.get(k)!;
    const scale = level.density;
    for (const { instant, time, duration } of picks) {
      const frame = this.#frameAt(level, this.#gap * scale + instant);
      const original = instant % k === 0;
      const position = rational((this.#shotStart + this.#gap) * k + instant, k);
      this.#steps.push({ step: 'show', frame, time, duration, original, position });
    }
    this.#gap++;
    this.#retire(this.#source);
  }

  /** The frame at a place in a level, counted from the shot's start. Plans the window that gives it, if none did. */
  #frameAt(level: Level, place: number): FrameId {
    const { parent, factor } = level;
    if (!parent) return this.#frames[place - this.#firstKept]!.id;
    const gap = Math.floor(place / factor);
    const within = place % factor;
    if (within === 0) return this.#frameAt(parent, gap);
    let outputs = level.windows.get(gap);
    if (!outputs) {
      const last = (this.#length - 1) * parent.density;
      const inputs: FrameId[] = [];
      for (let i = gap - this.#half + 1; i <= gap + this.#half; i++) {
        inputs.push(this.#frameAt(parent, Math.min(Math.max(i, 0), last)));
      }
      outputs = Array.from({ length: factor - 1 }, () => this.#ids++);
      level.windows.set(gap, outputs);
      this.#steps.push({ step: 'run', factor, pass: level.pass, inputs, outputs, keep: level.keep });
    }
    return outputs[within - 1]!;
  }

  /** Retires what no gap from the current one on can need. */
  #retire(level: Level): void {
    const first = this.#gap * level.density - level.reach;
    if (!level.parent) {
      while (this.#firstKept < first) {
        this.#steps.push({ step: 'retire', frame: this.#frames.shift()!.id });
        this.#firstKept++;
      }
    }
    for (const [gap, outputs] of level.windows) {
      if ((gap + 1) * level.factor <= first) this.#retireWindow(level, gap, outputs);
    }
    for (const next of level.next.values()) this.#retire(next);
  }

  #retireWindow(level: Level, gap: number, outputs: readonly FrameId[]): void {
    level.windows.delete(gap);
    for (const frame of outputs) this.#steps.push({ step: 'retire', frame });
  }

  /** Ends the shot at a cut and fills the gap there with repeated frames. */
  #crossCut(last: { id: FrameId; time: Rational }, first: { id: FrameId; time: Rational }): void {
    this.#planGaps(true);
    const { k, picks } = this.#pacing.gap(last.time, first.time);
    for (const { instant, time, duration } of picks) {
      const before = 2 * instant <= k;
      const frame = before ? last.id : first.id;
      const position = rational(before ? this.#seen - 1 : this.#seen);
      this.#steps.push({ step: 'show', frame, time, duration, original: true, position });
    }
    this.#retireShot();
    this.#shotStart = this.#seen;
  }

  #retireShot(): void {
    for (const { id } of this.#frames) this.#steps.push({ step: 'retire', frame: id });
    const clear = (level: Level) => {
      for (const [gap, outputs] of level.windows) this.#retireWindow(level, gap, outputs);
      for (const next of level.next.values()) clear(next);
    };
    clear(this.#source);
    this.#frames = [];
    this.#firstKept = 0;
    this.#gap = 0;
  }
}
