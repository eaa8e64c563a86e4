import { closeSync, ftruncateSync, openSync, readFileSync, readSync, writeSync } from 'node:fs';
import { FlavrError } from '../errors.js';
import { unwritable } from '../video/output-file.js';
import { type SampleScore, scoreKey } from './evaluate.js';
import type { Method } from './methods.js';

const HEADER = '{"flavr":"evaluation journal 1"}';

/**
 * A file that scores are written to as they are reached, a line each, so that a run that was cut off goes on where it was.
 * Scores are kept by data set, method (weights, backend, precision) and sample: one file may serve several runs.
 */
export class Journal {
  readonly #path: string;
  readonly #file: number;
  readonly #scores = new Map<string, Map<string, SampleScore>>();

  /**
   * Opens a journal, which need not exist. A last line that was cut off is dropped.
   * @throws FlavrError `BAD_ARGUMENT` if the file is something else or cannot be written.
   */
  constructor(path: string) {
    this.#path = path;
    try {
      this.#file = openSync(path, 'a+');
    } catch (cause) {
      throw unwritable(path, cause, 'BAD_ARGUMENT');
    }
    try {
      this.#read();
    } catch (error) {
      closeSync(this.#file);
      throw unwritable(path, error, 'BAD_ARGUMENT');
    }
  }

  #read(): void {
    // Before all of a file that is something else, and may be large, is read.
    const start = Buffer.alloc(HEADER.length + 1);
    const begins = start.toString('utf8', 0, readSync(this.#file, start, 0, start.length, 0));
    if (!`${HEADER}\n`.startsWith(begins)) throw this.#foreign();
    const bytes = readFileSync(this.#file);
    const whole = bytes.lastIndexOf('\n') + 1;
    const [header, ...lines] = bytes.toString('utf8', 0, whole).split('\n').slice(0, -1);
    for (const [index, line] of lines.entries()) {
      const entry = parseEntry(line);
      if (!entry) throw new FlavrError('BAD_ARGUMENT', `Line ${index + 2} of the journal ${this.#path} is damaged.`);
      this.known(entry.set).set(scoreKey({ identity: entry.method }, entry.score.id), entry.score);
    }
    if (whole < bytes.length) ftruncateSync(this.#file, whole);
    if (header === undefined) writeSync(this.#file, `${HEADER}\n`);
  }

  #foreign(): FlavrError {
    return new FlavrError('BAD_ARGUMENT', `${this.#path} is no journal of flavr evaluate; name another file.`);
  }

  /** The scores of a data set, by method and sample. */
  known(set: string): Map<string, SampleScore> {
    let scores = this.#scores.get(set);
    if (!scores) {
      scores = new Map();
      this.#scores.set(set, scores);
    }
    return scores;
  }

  /** Adds a score; it is with the operating system when this returns. @throws FlavrError `VIDEO_UNWRITABLE` */
  add(set: string, { identity }: Method, score: SampleScore): void {
    try {
      writeSync(this.#file, `${JSON.stringify({ set, method: identity, score })}\n`);
    } catch (error) {
      throw unwritable(this.#path, error);
    }
  }

  close(): void {
    closeSync(this.#file);
  }
}

interface Entry {
  readonly set: string;
  readonly method: string;
  readonly score: SampleScore;
}

function parseEntry(line: string): Entry | undefined {
  try {
    const { set, method, score } = JSON.parse(line) as Entry;
    const texts = [set, method, score.id, score.sequence].every((value) => typeof value === 'string');
    if (!texts || !Number.isInteger(score.repeated)) return undefined;
    const { psnr, ssim, interpolationError } = score;
    return {
      set,
      method,
      score: {
        id: score.id,
        sequence: score.sequence,
        repeated: score.repeated,
        psnr: figures(psnr),
        ssim: figures(ssim),
        ...(interpolationError && { interpolationError: figures(interpolationError) }),
      },
    };
  } catch {
    return undefined;
  }
}

/** JSON writes an infinite figure, that of equal pictures, as null. */
function figures(values: readonly unknown[]): number[] {
  return values.map((value) => {
    if (value === null) return Number.POSITIVE_INFINITY;
    if (typeof value !== 'number') throw new TypeError('not a figure');
    return value;
  });
}
