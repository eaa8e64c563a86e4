import type { Progress } from '../backends/backend.js';
import type { VideoProgress } from '../video/options.js';

/** Where progress goes: a terminal gets one line that is redrawn, anything else a plain line now and then. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  readonly columns?: number;
  write(text: string): unknown;
}

const PLAIN_INTERVAL_MS = 10_000;
const BAR_CELLS = 24;

/** Draws the progress of a job on stderr, so that stdout stays free for results. */
export class ProgressLine {
  readonly #stream: ProgressStream;
  readonly #now: () => number;
  // The first plain line comes after an interval too: a short job needs none.
  #lastPlain: number;
  #drawn = false;

  constructor(stream: ProgressStream, now: () => number = Date.now) {
    this.#stream = stream;
    this.#now = now;
    this.#lastPlain = now();
  }

  /** Characters that fit a line of a terminal. */
  get #width(): number {
    return Math.max(20, (this.#stream.columns ?? 80) - 1);
  }

  update(progress: VideoProgress): void {
    const barred = progressText(progress, this.#stream.isTTY === true);
    // Rather no bar than no time left.
    this.show(barred.length <= this.#width ? barred : progressText(progress, false));
  }

  /** A stage without frames, such as building an engine. */
  stage({ stage, fraction }: Progress): void {
    this.show(fraction === undefined ? stage : `${Math.floor(fraction * 100)}%  ${stage}`);
  }

  show(text: string): void {
    if (this.#stream.isTTY) {
      this.#stream.write(`\r\u001b[K${text.slice(0, this.#width)}`);
      this.#drawn = true;
      return;
    }
    if (this.#now() - this.#lastPlain < PLAIN_INTERVAL_MS) return;
    this.#lastPlain = this.#now();
    this.#stream.write(`${text}\n`);
  }

  /** Removes the drawn line, so that what is printed next starts on a clean one. */
  clear(): void {
    if (!this.#drawn) return;
    this.#stream.write('\r\u001b[K');
    this.#drawn = false;
  }
}

/** One line: bar (terminals only), frames, rate, time left. */
export function progressText(progress: VideoProgress, bar: boolean): string {
  const { framesOut, framesTotal, rate, etaSeconds } = progress;
  const parts: string[] = [];
  if (framesTotal !== undefined && framesTotal > 0) {
    const share = Math.min(1, framesOut / framesTotal);
    const full = Math.round(share * BAR_CELLS);
    if (bar) parts.push(`[${'#'.repeat(full)}${'.'.repeat(BAR_CELLS - full)}]`);
    parts.push(`${Math.floor(share * 100)}%`, `frame ${framesOut}/${framesTotal}`);
  } else {
    parts.push(`frame ${framesOut}`);
  }
  parts.push(`${rate.toFixed(1)} frames/s`);
  if (etaSeconds !== undefined) parts.push(`ETA ${clock(etaSeconds)}`);
  return parts.join('  ');
}

/** Seconds as M:SS or H:MM:SS. */
export function clock(seconds: number): string {
  const whole = Math.max(0, Math.ceil(seconds));
  const two = (value: number) => String(value).padStart(2, '0');
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? `${minutes}:${two(whole % 60)}`
    : `${Math.floor(minutes / 60)}:${two(minutes % 60)}:${two(whole % 60)}`;
}
