import type { ReadClock, StageClock, WriteClock } from './stage-clock.js';

/** One stage of the video path. */
export interface StageTiming {
  /** Elapsed time in milliseconds, summed over all it worked on; where the processor is short, with waiting for it. */
  readonly totalMs: number;
  /** What it worked on: source frames, windows, or written frames. */
  readonly count: number;
  /** `totalMs / count`; 0 where nothing was done. */
  readonly msEach: number;
  /** Of the whole run's time. Stages overlap, so the shares of all may come to more than 1. */
  readonly share: number;
}

/**
 * Where the time of a run went. The stages work side by side: as long as the model's share is near 1, nothing else holds
 * the run up.
 */
export interface VideoTimings {
  /** Elapsed milliseconds from the first frame to the finished file. Opening the files and the model came before. */
  readonly totalMs: number;
  /** Per source frame: reading and decoding, deinterlacing too. Of images, conversion to RGB too. */
  readonly decode: StageTiming;
  /** Per source frame: to RGB. */
  readonly convertIn: StageTiming;
  /** Per source frame: looking for cuts. */
  readonly detectCuts: StageTiming;
  /** Per window. */
  readonly model: StageTiming;
  /** Per written frame: from RGB to the encoder's pixel format or palette. */
  readonly convertOut: StageTiming;
  /** Per written frame. */
  readonly encode: StageTiming;
  /** Per written frame: writing, with the sound and what else is copied. */
  readonly write: StageTiming;
}

/** The clocks of one run. */
export interface VideoClocks {
  readonly read: ReadClock;
  readonly cuts: StageClock<'detectCuts'>;
  readonly write: WriteClock;
}

export interface VideoCounts {
  readonly framesIn: number;
  readonly framesOut: number;
  readonly windows: number;
  /** Time spent in the model. */
  readonly modelMs: number;
  /** Time of the whole run. */
  readonly totalMs: number;
}

export function summarizeTimings(
  { read, cuts, write }: VideoClocks,
  { framesIn, framesOut, windows, modelMs, totalMs }: VideoCounts,
): VideoTimings {
  const stage = (ms: number, count: number): StageTiming => ({
    totalMs: ms,
    count,
    msEach: count === 0 ? 0 : ms / count,
    share: totalMs === 0 ? 0 : ms / totalMs,
  });
  return {
    totalMs,
    decode: stage(read.ms('decode'), framesIn),
    convertIn: stage(read.ms('convertIn'), framesIn),
    detectCuts: stage(cuts.ms('detectCuts'), framesIn),
    model: stage(modelMs, windows),
    convertOut: stage(write.ms('convertOut'), framesOut),
    encode: stage(write.ms('encode'), framesOut),
    write: stage(write.ms('write'), framesOut),
  };
}
