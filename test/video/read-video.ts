import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import type { Rational } from '../../ts/rational.js';
import { openSource } from '../../ts/video/source.js';
import type { SourceFrame, SourceOptions, VideoSource } from '../../ts/video/types.js';

/** Reads a video to its end. */
export async function read(
  path: string,
  options: SourceOptions = {},
): Promise<{ source: VideoSource; frames: SourceFrame[] }> {
  const source = await openSource(path, options);
  const frames: SourceFrame[] = [];
  for await (const frame of source.frames()) frames.push(frame);
  await source.close();
  return { source, frames };
}

export const times = (frames: readonly SourceFrame[]): Rational[] => frames.map(({ time }) => time);

/** The error that reading a video ends with. */
export async function failure(path: string, options: SourceOptions = {}): Promise<FlavrError> {
  try {
    await read(path, options);
  } catch (error) {
    assert.instance(error, FlavrError);
    return error as FlavrError;
  }
  assert.unreachable('reading succeeded');
  throw new Error();
}

/** The grey that a limited-range luma stands for. */
export const greyOf = (luma: number): number => Math.round(((luma - 16) * 255) / 219);
