import { compare, type Rational, ZERO } from '../rational.js';
import type { Av } from './av.js';
import { readMatroskaChapters, writeMatroskaChapters } from './chapters-matroska.js';
import { readMp4Chapters, writeMp4Chapters } from './chapters-mp4.js';
import type { Timeline } from './clock.js';
import type { OpenedFile } from './demuxer.js';

/** A named part of a video, in seconds of its clock. */
export interface Chapter {
  readonly start: Rational;
  /** Undefined: until the next one, or the end. */
  readonly end: Rational | undefined;
  readonly title: string;
  /** ISO 639-2, where the file states it. */
  readonly language: string | undefined;
}

/**
 * The chapters of an MP4, MOV, Matroska or WebM file; none for others. FFmpeg reads them too, but node-av hands them
 * neither out nor in.
 */
export async function readChapters(av: Av, path: string, { format }: OpenedFile): Promise<Chapter[]> {
  const name = format.iformat?.name ?? '';
  if (name.includes('matroska')) return readMatroskaChapters(path);
  if (name.includes('mp4')) return readMp4Chapters(av, path);
  return [];
}

/** The chapters of the output: cut to the range, on the output's clock. */
export function chaptersOf(chapters: readonly Chapter[], timeline: Timeline): Chapter[] {
  return chapters.flatMap((chapter) => {
    const start = latest(chapter.start, timeline.start);
    const end = chapter.end && timeline.isPastEnd(chapter.end) ? timeline.end : chapter.end;
    if (timeline.isPastEnd(start) || (end && compare(end, start) <= 0)) return [];
    return [{ ...chapter, start: latest(timeline.toOutput(start), ZERO), end: end && timeline.toOutput(end) }];
  });
}

const latest = (a: Rational, b: Rational | undefined): Rational => (b && compare(b, a) > 0 ? b : a);

/** FFmpeg's muxers that `writeChapters` can add to. */
export const holdsChapters = (muxer: string): boolean => ['mp4', 'mov', 'matroska', 'webm'].includes(muxer);

/**
 * Adds chapters to a finished file of one of these muxers, in place.
 * @returns whether there was room: not in an MP4 whose index was moved to its front (`movflags=faststart`).
 */
export function writeChapters(path: string, muxer: string, chapters: readonly Chapter[]): Promise<boolean> {
  return muxer === 'mp4' || muxer === 'mov' ? writeMp4Chapters(path, chapters) : writeMatroskaChapters(path, chapters);
}
