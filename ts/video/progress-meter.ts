import type { VideoProgress } from './options.js';

const REPORT_INTERVAL_MS = 250;
/** Over how long the rate is taken. */
const RATE_WINDOW_MS = 10_000;

/** Turns counts of frames into reports with a rate and the time left, a few times a second at most. */
export class ProgressMeter {
  readonly #report: ((progress: VideoProgress) => void) | undefined;
  readonly #framesTotal: number | undefined;
  readonly #now: () => number;
  readonly #history: { time: number; frames: number }[];
  #nextReport = 0;

  constructor(
    report: ((progress: VideoProgress) => void) | undefined,
    framesTotal: number | undefined,
    now: () => number = performance.now.bind(performance),
  ) {
    this.#report = report;
    this.#framesTotal = framesTotal;
    this.#now = now;
    this.#history = [{ time: now(), frames: 0 }];
  }

  /** @param last whether these are the final counts, which are reported in any case. */
  update(framesIn: number, framesOut: number, last = false): void {
    const time = this.#now();
    if (!this.#report || (time < this.#nextReport && !last)) return;
    this.#nextReport = time + REPORT_INTERVAL_MS;
    this.#history.push({ time, frames: framesOut });
    while (this.#history.length > 2 && time - this.#history[1]!.time > RATE_WINDOW_MS) this.#history.shift();
    const { time: since, frames } = this.#history[0]!;
    const rate = time > since ? ((framesOut - frames) * 1000) / (time - since) : 0;
    const framesTotal = last ? framesOut : this.#framesTotal && Math.max(this.#framesTotal, framesOut);
    const etaSeconds = framesTotal !== undefined && rate > 0 ? (framesTotal - framesOut) / rate : undefined;
    this.#report({ framesIn, framesOut, framesTotal, rate, etaSeconds });
  }
}
