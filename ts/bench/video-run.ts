import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { interpolateVideo } from '../video/interpolate-video.js';
import type { InterpolateVideoOptions, VideoProgress, VideoSummary } from '../video/options.js';
import type { VideoTimings } from '../video/timings.js';
import { type PeakMemory, PeakMemoryWatch } from './peak-memory.js';
import { summarizeTimes, type Timing } from './timing.js';

/** The main job on a real video: everything from the file to the file. */
export interface VideoRun {
  readonly file: string;
  readonly width: number;
  readonly height: number;
  readonly k: number;
  readonly framesIn: number;
  readonly framesOut: number;
  readonly windows: number;
  /** Milliseconds per written frame from the first frame to the finished file, one figure for each round. */
  readonly frame: Timing;
  /** Written frames per second over the same time. */
  readonly framesPerSecond: number;
  /** The same with the opening of file and model in it: what a user waits for. */
  readonly framesPerSecondWithStart: number;
  /** Stage by stage, of the round in the middle. */
  readonly timings: VideoTimings;
  /** Undefined where the system does not tell. */
  readonly peak: PeakMemory | undefined;
}

export type VideoRunOptions = Pick<
  InterpolateVideoOptions,
  'model' | 'backend' | 'device' | 'precision' | 'threads' | 'signal'
> & {
  readonly k: number;
  readonly onProgress?: ((progress: VideoProgress) => void) | undefined;
};

const ROUNDS = 3;
/** A long video is not run again: its own length makes the figure steady. */
const LONG_SECONDS = 20;

/** Interpolates a video into a temporary MP4 file, which is removed. */
export async function measureVideo(path: string, options: VideoRunOptions): Promise<VideoRun> {
  const folder = await mkdtemp(join(tmpdir(), 'flavr-bench-'));
  const watch = new PeakMemoryWatch();
  try {
    const rounds: VideoSummary[] = [];
    const started = performance.now();
    do {
      // As the command line runs it.
      const run = { ...options, yieldToModel: true };
      rounds.push(await interpolateVideo(path, join(folder, `${rounds.length}.mp4`), run));
    } while (rounds.length < ROUNDS && performance.now() - started < LONG_SECONDS * 1000);
    return summarizeRounds(path, options.k, rounds, watch.stop());
  } finally {
    watch.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

/** Several runs of one video as one. */
export function summarizeRounds(
  path: string,
  k: number,
  rounds: readonly VideoSummary[],
  peak: PeakMemory | undefined,
): VideoRun {
  const sorted = rounds.toSorted((a, b) => a.timings.totalMs - b.timings.totalMs);
  const { width, height, framesIn, framesOut, windows, timings } = sorted[(sorted.length - 1) >> 1]!;
  const frame = summarizeTimes(sorted.map((round) => round.timings.totalMs / framesOut));
  return {
    file: basename(path),
    ...{ width, height, k, framesIn, framesOut, windows, frame },
    framesPerSecond: 1000 / frame.median,
    framesPerSecondWithStart: framesOut / summarizeTimes(rounds.map(({ seconds }) => seconds)).median,
    timings,
    peak,
  };
}
