import { open, stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Codec, FormatContext, InputFormat, Packet, Stream } from 'node-av';
import { FlavrError } from '../errors.js';
import { rational } from '../rational.js';
import { type Av, checkAv } from './av.js';
import { fromTicks, toTicks } from './clock.js';
import { fitsLimits } from './raw-video.js';
import { SteadyClock } from './steady-clock.js';

// Formats that name other files or addresses to read, and the one that takes any text for a picture.
const REFUSED_FORMATS = new Set(['hls', 'concat', 'dash', 'imf', 'sdp', 'rtsp', 'rtp', 'sap', 'tty']);
// What FFmpeg itself looks at, at most, to recognise a format.
const PROBE_BYTES = 1 << 20;
// Errors in a row after which nothing more is expected of a damaged file.
const MOST_READ_ERRORS = 10;

/** A local file opened by FFmpeg, and the video stream that is read from it. */
export interface OpenedFile {
  readonly path: string;
  readonly format: FormatContext;
  readonly stream: Stream;
  readonly decoder: Codec;
  /** Where the format's own clock may be set back in the middle. To be restarted after `format.seekFrame`. */
  readonly clock: SteadyClock | undefined;
  /** A sentence for people, where reading met what it had to pass over. */
  warning?: string;
}

/**
 * Opens a file for reading its main video stream. Nothing but this one local file is ever opened: formats that refer to
 * other files are refused before FFmpeg acts on them.
 * @throws FlavrError `VIDEO_UNREADABLE` (absent, empty, no video in it), `VIDEO_UNSUPPORTED` (no decoder, absurd size)
 */
export async function openFile(av: Av, path: string): Promise<OpenedFile> {
  const format = new av.FormatContext();
  let opened = false;
  try {
    const input = await recognise(av, path);
    const options = av.Dictionary.fromObject({ protocol_whitelist: 'file' });
    checkAv(av, await format.openInput(`file:${resolve(path)}`, input, options), 'VIDEO_UNREADABLE', unreadable(path));
    opened = true;
    // Before anything is decoded: probing decodes too, up to FFmpeg's own limit of 2^28 pixels.
    for (const { codecpar } of format.streams) checkSize(path, codecpar);
    checkAv(av, await format.findStreamInfo(), 'VIDEO_UNREADABLE', unreadable(path));
    const clock = hasLooseClock(av, format) ? new SteadyClock() : undefined;
    const file = { path, format, ...chooseStream(av, path, format), clock };
    keepStreams(av, file, ({ index }) => index === file.stream.index);
    return file;
  } catch (error) {
    if (opened) await format.closeInput();
    throw error;
  }
}

/** Names that other programs would take and this one does not deserve more than "there is no such file". */
function whyAbsent(path: string): string {
  if (path === '-') return 'flavr reads files, not pipes';
  if (/^[a-z][a-z0-9+.-]+:\/\//i.test(path)) return 'flavr reads local files only; download it first';
  if (/%\d*d|[*?]/.test(path)) return 'patterns are not expanded; name the folder that the images are in';
  return 'there is no such file';
}

const unreadable = (path: string) => `${path} cannot be read as a video`;

async function recognise(av: Av, path: string): Promise<InputFormat> {
  let head: Buffer;
  try {
    if (!(await stat(path)).isFile()) {
      throw new FlavrError('VIDEO_UNREADABLE', `${path} is neither a file nor a folder of images.`);
    }
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(PROBE_BYTES), 0, PROBE_BYTES, 0);
      head = buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof FlavrError) throw error;
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? whyAbsent(path) : code === 'EACCES' ? 'permission denied' : message;
    throw new FlavrError('VIDEO_UNREADABLE', `${path} cannot be opened: ${reason}.`, { cause: error });
  }
  if (head.length === 0) {
    throw new FlavrError('VIDEO_UNREADABLE', `${path} is empty (0 bytes).`);
  }
  // By name, single images count as numbered sequences, which look for files of their own; by content they do not.
  const opensItself = (format: InputFormat) => (format.flags & av.AVFMT_NOFILE) !== 0;
  let input = av.InputFormat.probe(head, path);
  if (input && opensItself(input)) input = av.InputFormat.probe(head, '');
  if (!input || opensItself(input)) {
    throw new FlavrError('VIDEO_UNREADABLE', `${unreadable(path)}: its format is not recognised.`);
  }
  if (input.name?.split(',').some((name) => REFUSED_FORMATS.has(name))) {
    throw new FlavrError(
      'VIDEO_UNREADABLE',
      `${unreadable(path)}: it is ${input.longName ?? input.name}, which holds no video itself. Give the video file.`,
    );
  }
  return input;
}

function chooseStream(av: Av, path: string, format: FormatContext): { stream: Stream; decoder: Codec } {
  const index = format.findBestStream(av.AVMEDIA_TYPE_VIDEO);
  const stream = format.streams[index];
  if (!stream || stream.hasDisposition(av.AV_DISPOSITION_ATTACHED_PIC)) {
    const audio = format.streams.filter(({ codecpar }) => codecpar.codecType === av.AVMEDIA_TYPE_AUDIO).length;
    const content = audio ? `only sound (${audio} audio stream${audio > 1 ? 's' : ''})` : 'no video stream';
    throw new FlavrError('VIDEO_UNREADABLE', `${path} holds ${content}; a video is needed.`);
  }
  checkSize(path, stream.codecpar);
  const decoder = chooseDecoder(av, stream);
  if (!decoder) {
    const codec = av.avGetCodecName(stream.codecpar.codecId) ?? 'an unknown codec';
    throw new FlavrError(
      'VIDEO_UNSUPPORTED',
      `${path} is encoded with ${codec}, for which this FFmpeg has no decoder.`,
    );
  }
  return { stream, decoder };
}

function checkSize(path: string, { width, height }: { width: number; height: number }): void {
  // Streams without pictures, and those whose size only decoding tells, state 0x0.
  if ((width !== 0 || height !== 0) && !fitsLimits(width, height)) {
    throw new FlavrError('VIDEO_UNSUPPORTED', `${path} states a size of ${width}x${height}, more than can be read.`);
  }
}

/** FFmpeg's own VP8 and VP9 decoders leave the alpha channel of WebM files out; libvpx reads it. */
function chooseDecoder(av: Av, stream: Stream): Codec | null {
  const { codecId } = stream.codecpar;
  if (stream.metadata?.get('alpha_mode') === '1') {
    const name = codecId === av.AV_CODEC_ID_VP9 ? 'libvpx-vp9' : codecId === av.AV_CODEC_ID_VP8 ? 'libvpx' : undefined;
    const decoder = name && av.Codec.findDecoderByName(name as never);
    if (decoder) return decoder;
  }
  return av.Codec.findDecoder(codecId);
}

/** Whether the format's clock begins anywhere and may be set back in the middle, as in MPEG-TS. */
const hasLooseClock = (av: Av, { iformat }: FormatContext): boolean =>
  iformat !== null && (iformat.flags & av.AVFMT_TS_DISCONT) !== 0;

/** Lets `nextPacket` read these streams, and those that its clock needs to see; the others are not even taken apart. */
export function keepStreams(av: Av, { format, clock }: OpenedFile, keep: (stream: Stream) => boolean): void {
  for (const stream of format.streams) {
    stream.discard = keep(stream) || (clock && isContinuous(av, stream)) ? av.AVDISCARD_DEFAULT : av.AVDISCARD_ALL;
  }
}

/**
 * Reads the next packet of any stream, its times on one clock from the file's beginning to its end; AVERROR_EOF at the end.
 * What cannot be read is passed over, as players do.
 */
export async function nextPacket(av: Av, file: OpenedFile, packet: Packet): Promise<number> {
  const { format, clock } = file;
  for (let errors = 0; errors < MOST_READ_ERRORS; errors += 1) {
    packet.unref();
    const result = await format.readFrame(packet);
    if (result === av.AVERROR_EOF || result === av.AVERROR_ENOMEM) return result;
    if (result >= 0) {
      const stream = format.streams[packet.streamIndex];
      if (clock && stream) moveTimes(av, clock, stream, packet);
      return result;
    }
    file.warning = `Parts of ${file.path} could not be read (${av.FFmpegError.strerror(result)}); what could be read around them is taken.`;
  }
  return av.AVERROR_EOF;
}

/** The same for the next packet of one stream: the main video, unless another is named. */
export async function readPacket(
  av: Av,
  file: OpenedFile,
  packet: Packet,
  index: number = file.stream.index,
): Promise<number> {
  for (;;) {
    const result = await nextPacket(av, file, packet);
    if (result < 0 || packet.streamIndex === index) return result;
  }
}

function moveTimes(av: Av, clock: SteadyClock, stream: Stream, packet: Packet): void {
  const { pts, dts, duration } = packet;
  const none = av.AV_NOPTS_VALUE;
  const step = rational(stream.timeBase.num, stream.timeBase.den);
  const shift =
    isContinuous(av, stream) && dts !== none
      ? clock.shift(stream.index, fromTicks(dts, step), fromTicks(duration, step))
      : clock.latestShift;
  const ticks = toTicks(shift, step);
  if (pts !== none) packet.pts = pts + ticks;
  if (dts !== none) packet.dts = dts + ticks;
}

/** Sound and pictures, whose packets follow one another; subtitles and data come now and then. */
function isContinuous(av: Av, stream: Stream): boolean {
  const { codecType } = stream.codecpar;
  const moving = codecType === av.AVMEDIA_TYPE_VIDEO && !stream.hasDisposition(av.AV_DISPOSITION_ATTACHED_PIC);
  return moving || codecType === av.AVMEDIA_TYPE_AUDIO;
}
