import type { Sample } from './protocol.js';

/**
 * The frames of one clip in order of time, and how a gap is laid over them: inputs are `stride` frames apart, the gap is
 * from `before` to `before + stride`, targets are the k-1 instants that divide it.
 */
export interface Placement {
  readonly sequence: string;
  readonly frames: readonly string[];
  readonly before: number;
  readonly stride: number;
  readonly inputs: number;
  readonly factor: number;
}

/** The sample at a placement; inputs past an end of the clip repeat the nearest frame that is there. Pure. */
export function place({ sequence, frames, before, stride, inputs, factor }: Placement): Sample {
  if (stride % factor !== 0) throw new RangeError(`a gap of ${stride} frames has no ${factor} equal parts`);
  const wanted = Array.from({ length: inputs }, (_, i) => before + (i - inputs / 2 + 1) * stride);
  // Repeating keeps the stride's phase: the nearest frame that is a whole number of strides away.
  const lowest = before % stride;
  const highest = before + Math.floor((frames.length - 1 - before) / stride) * stride;
  const taken = wanted.map((index) => Math.min(highest, Math.max(lowest, index)));
  const targets = Array.from({ length: factor - 1 }, (_, j) => before + ((j + 1) * stride) / factor);
  return {
    id: `${sequence}/${before}`,
    sequence,
    inputs: taken.map((index) => frames[index]!),
    targets: targets.map((index) => frames[index]!),
    repeated: taken.filter((index, i) => index !== wanted[i]).length,
  };
}

/**
 * Every placement whose whole window lies in the clip, one every `step` frames: (inputs-1)*stride + 1 consecutive frames
 * each. This is how FLAVR's own loaders walk GoPro (step = stride) and DAVIS (step = 2).
 */
export function wholeWindows(options: Omit<Placement, 'before'> & { readonly step: number }): Sample[] {
  const { frames, stride, inputs, step } = options;
  const span = (inputs - 1) * stride;
  const samples: Sample[] = [];
  for (let first = 0; first + span < frames.length; first += step) {
    samples.push(place({ ...options, before: first + (inputs / 2 - 1) * stride }));
  }
  return samples;
}

/** Every gap between kept frames when every `stride`-th frame of a clip is kept; the ends repeat. */
export function everyGap(options: Omit<Placement, 'before'>): Sample[] {
  const samples: Sample[] = [];
  for (let before = 0; before + options.stride < options.frames.length; before += options.stride) {
    samples.push(place({ ...options, before }));
  }
  return samples;
}
