import type { Stream } from 'node-av';
import { multiply, type Rational, rational, subtract, ZERO } from '../rational.js';
import type { Av } from './av.js';
import { fromTicks } from './clock.js';
import { keepStreams, type OpenedFile, openFile, readPacket } from './demuxer.js';
import { moveTimecode } from './timecode.js';
import type { SinkOptions } from './types.js';

/** Where the file's clock begins, if that is after 0: the output's begins at 0 with the earliest of what is copied. */
export function clockStart(av: Av, { format: { startTime } }: OpenedFile): Rational | undefined {
  return startTime !== av.AV_NOPTS_VALUE && startTime > 0n ? rational(startTime, 1_000_000n) : undefined;
}

// What was stated of the source's own packets or file, and holds for these only.
const STALE =
  /^(BPS|DURATION|NUMBER_OF_(FRAMES|BYTES)|_STATISTICS_.*|encoder|major_brand|minor_version|compatible_brands)(-.*)?$/i;

function withoutStale(entries: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).filter(([key]) => !STALE.test(key)));
}

/** What the source says of one of its streams (language, title, …), as far as it holds for the output's stream too. */
export const streamMetadata = (stream: Stream): Record<string, string> => withoutStale(stream.metadata?.getAll() ?? {});

/** What the source says of itself (title, date, …) and of its video, as far as it holds for the output too, and what is left out. */
export function sourceMetadata(
  { format, stream }: OpenedFile,
  { info, frameRate, range }: Pick<SinkOptions, 'info' | 'frameRate' | 'range'>,
): { file: Record<string, string>; video: Record<string, string>; warnings: string[] } {
  const file = withoutStale(format.metadata?.getAll() ?? {});
  const video = streamMetadata(stream);
  const warnings: string[] = [];
  const step = rational(stream.timeBase.num, stream.timeBase.den);
  const cutAway = range ? subtract(range.start, fromTicks(stream.startTime, step)) : ZERO;
  for (const entries of [file, video]) {
    const key = Object.keys(entries).find((name) => /^timecode$/i.test(name));
    if (key === undefined) continue;
    const rate = info.frameRate;
    const moved = rate && frameRate && moveTimecode(entries[key]!, multiply(cutAway, rate), rate, frameRate);
    if (moved === undefined) {
      warnings.push(`The source's timecode ${entries[key]} is left out: it cannot be said at the output's frame rate.`);
      delete entries[key];
    } else entries[key] = moved;
  }
  return { file, video, warnings };
}

/** The bytes of a cover picture: the first packet of its stream. Read apart, since they are needed before any other. */
export async function readCover(av: Av, path: string, index: number): Promise<Buffer | undefined> {
  const file = await openFile(av, path);
  const packet = new av.Packet();
  packet.alloc();
  try {
    keepStreams(av, file, (stream) => stream.index === index);
    return (await readPacket(av, file, packet, index)) < 0 ? undefined : Buffer.from(packet.data ?? []);
  } finally {
    packet.free();
    await file.format.closeInput();
  }
}
