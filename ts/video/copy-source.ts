import type { Stream } from 'node-av';
import { type Rational, rational } from '../rational.js';
import type { Av } from './av.js';
import { type OpenedFile, openFile, readPacket } from './demuxer.js';

/** Where a clock begins that may begin anywhere (MPEG-TS); undefined for others, which begin near 0 on purpose. */
export function clockStart(av: Av, { format }: OpenedFile): Rational | undefined {
  const { iformat, startTime } = format;
  const anywhere = iformat && (iformat.flags & av.AVFMT_TS_DISCONT) !== 0;
  return anywhere && startTime !== av.AV_NOPTS_VALUE ? rational(startTime, 1_000_000n) : undefined;
}

// What was stated of the source's own packets or file, and holds for these only.
const STALE =
  /^(BPS|DURATION|NUMBER_OF_(FRAMES|BYTES)|_STATISTICS_.*|encoder|major_brand|minor_version|compatible_brands)(-.*)?$/;

function withoutStale(entries: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(entries).filter(([key]) => !STALE.test(key)));
}

/** What the source says of itself (title, date, …), as far as it holds for the output too. */
export const fileMetadata = ({ format }: OpenedFile): Record<string, string> =>
  withoutStale(format.metadata?.getAll() ?? {});

/** What the source says of one of its streams (language, title, …), as far as it holds for the output's stream too. */
export const streamMetadata = (stream: Stream): Record<string, string> => withoutStale(stream.metadata?.getAll() ?? {});

/** The bytes of a cover picture: the first packet of its stream. Read apart, since they are needed before any other. */
export async function readCover(av: Av, path: string, index: number): Promise<Buffer | undefined> {
  const { format } = await openFile(av, path);
  const packet = new av.Packet();
  packet.alloc();
  try {
    const stream = format.streams[index]!;
    for (const other of format.streams) other.discard = other.index === index ? av.AVDISCARD_DEFAULT : av.AVDISCARD_ALL;
    return (await readPacket(format, stream, packet)) < 0 ? undefined : Buffer.from(packet.data ?? []);
  } finally {
    packet.free();
    await format.closeInput();
  }
}
