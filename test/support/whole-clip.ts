import type { Frame } from '../../ts/frame.js';
import { fakeOutput } from './fake-backend.js';

/** New frame number `index` (from 0) of a window. */
export type Output = (frames: readonly Frame[], factor: number, index: number) => Frame;

/** Interpolates a whole shot pass by pass, window by window, with a fake model: what the scheduling rules define. */
export function wholeShot(
  shot: readonly Frame[],
  passes: readonly number[],
  half: number,
  output: Output = fakeOutput,
): Frame[] {
  let frames = [...shot];
  for (const factor of passes) {
    const last = frames.length - 1;
    const denser: Frame[] = [];
    for (let gap = 0; gap < last; gap++) {
      denser.push(frames[gap]!);
      const window: Frame[] = [];
      for (let i = gap - half + 1; i <= gap + half; i++) window.push(frames[Math.min(last, Math.max(0, i))]!);
      for (let index = 0; index < factor - 1; index++) denser.push(output(window, factor, index));
    }
    frames = [...denser, ...frames.slice(-1)];
  }
  return frames;
}

/** Every instant of a clip, k per gap, gaps at cuts filled with repeated frames. `cuts`: first frames of shots. */
export function wholeClip(
  clip: readonly Frame[],
  k: number,
  passes: readonly number[],
  half: number,
  cuts: readonly number[],
  output: Output = fakeOutput,
): Frame[] {
  const starts = [0, ...cuts.filter((cut) => cut < clip.length)];
  const result: Frame[] = [];
  for (const [s, start] of starts.entries()) {
    const shot = clip.slice(start, starts[s + 1] ?? clip.length);
    for (let j = 1; s > 0 && j < k; j++) result.push(j / k <= 0.5 ? clip[start - 1]! : clip[start]!);
    result.push(...wholeShot(shot, passes, half, output));
  }
  return result;
}
