import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Stream } from 'node-av';
import { type Rational, rational, ZERO } from '../../ts/rational.js';
import { loadAv } from '../../ts/video/av.js';
import type { SinkOptions, VideoInfo, VideoSink } from '../../ts/video/types.js';

export const av = await loadAv();

export async function withFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'flavr-sink-'));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

export function videoInfo(changes: Partial<VideoInfo> = {}): VideoInfo {
  return {
    kind: 'video',
    width: 64,
    height: 48,
    frameRate: rational(25),
    duration: undefined,
    frameCount: undefined,
    pixelFormat: 'yuv420p',
    bitDepth: 8,
    alpha: false,
    interlaced: false,
    rotation: 0,
    sampleAspect: rational(1),
    color: { primaries: 2, transfer: 2, matrix: 2, range: 0 },
    codec: 'h264',
    ...changes,
  };
}

export function sinkOptions(changes: Partial<SinkOptions> = {}): SinkOptions {
  return {
    info: videoInfo(),
    frameRate: rational(25),
    copyFrom: undefined,
    range: undefined,
    slow: 1,
    audio: 'keep',
    codec: undefined,
    crf: undefined,
    encoderOptions: {},
    overwrite: false,
    threads: 1,
    signal: undefined,
    ...changes,
  };
}

/** A picture with a gradient that moves with `index`, so that no two frames are equal. */
export function picture(info: VideoInfo, index: number): Uint8Array {
  const data = new Uint8Array(info.width * info.height * 3);
  for (let y = 0, at = 0; y < info.height; y += 1) {
    for (let x = 0; x < info.width; x += 1, at += 3) {
      data[at] = (x * 3 + index * 5) & 255;
      data[at + 1] = (y * 4) & 255;
      data[at + 2] = 128;
    }
  }
  return data;
}

/** Writes frames at these times, each until the next; the last for `lastDuration`. */
export async function writeFrames(
  sink: VideoSink,
  info: VideoInfo,
  times: readonly Rational[],
  lastDuration: Rational,
  alpha?: Uint8Array,
): Promise<void> {
  for (const [index, time] of times.entries()) {
    const next = times[index + 1];
    const duration = next ? rational(next.num * time.den - time.num * next.den, next.den * time.den) : lastDuration;
    await sink.write({ data: picture(info, index), alpha, time, duration });
  }
}

export const evenTimes = (count: number, rate: Rational, start = ZERO): Rational[] =>
  Array.from({ length: count }, (_, n) =>
    rational(BigInt(n) * rate.den * start.den + start.num * rate.num, rate.num * start.den),
  );

export interface ReadPacket {
  readonly pts: Rational;
  readonly dts: Rational;
  readonly duration: Rational;
  readonly hash: string;
  readonly data: Buffer;
  /** Place in the file, in bytes. */
  readonly pos: bigint;
}

export interface ReadStream {
  readonly type: string;
  readonly codec: string;
  readonly stream: Stream;
  readonly metadata: Record<string, string>;
  readonly packets: ReadPacket[];
}

/** Everything a file holds, by an ordinary demuxer. `close` at the end. */
export async function demux(path: string) {
  const input = new av.FormatContext();
  av.FFmpegError.throwIfError(await input.openInput(path), path);
  av.FFmpegError.throwIfError(await input.findStreamInfo(), path);
  const streams: ReadStream[] = input.streams.map((stream) => ({
    type: av.avGetMediaTypeString(stream.codecpar.codecType) ?? '',
    codec: av.avGetCodecName(stream.codecpar.codecId) ?? '',
    stream,
    metadata: stream.metadata?.getAll() ?? {},
    packets: [],
  }));
  const packet = new av.Packet();
  packet.alloc();
  while ((await input.readFrame(packet)) >= 0) {
    const { stream, packets } = streams[packet.streamIndex]!;
    const { num, den } = stream.timeBase;
    const seconds = (ticks: bigint) => rational(ticks * BigInt(num), BigInt(den));
    const data = Buffer.from(packet.data ?? Buffer.alloc(0));
    packets.push({
      pts: seconds(packet.pts),
      dts: seconds(packet.dts),
      duration: seconds(packet.duration),
      hash: createHash('sha256').update(data).digest('hex'),
      data,
      pos: packet.pos,
    });
    packet.unref();
  }
  packet.free();
  const of = (type: string) => streams.filter((stream) => stream.type === type);
  return { input, streams, of, video: of('video')[0]!, close: () => input.closeInput() };
}

export const byTime = (packets: readonly ReadPacket[]): ReadPacket[] =>
  [...packets].sort((a, b) => Number(a.pts.num * b.pts.den - b.pts.num * a.pts.den));

export const seconds = (time: Rational): string => `${time.num}/${time.den}`;

export const toMilliseconds = ({ num, den }: Rational): number => Math.round((Number(num) * 1000) / Number(den));

/** Decoded frames as they lie in the file (no colour conversion), or converted to packed `format`. */
export async function decodeVideo(path: string, format?: string, decoderName?: string) {
  const input = new av.FormatContext();
  av.FFmpegError.throwIfError(await input.openInput(path), path);
  av.FFmpegError.throwIfError(await input.findStreamInfo(), path);
  const stream = input.streams[input.findBestStream(av.AVMEDIA_TYPE_VIDEO)]!;
  const codec = decoderName
    ? av.Codec.findDecoderByName(decoderName as Parameters<typeof av.Codec.findDecoderByName>[0])
    : av.Codec.findDecoder(stream.codecpar.codecId);
  const context = new av.CodecContext();
  context.allocContext3(codec);
  context.parametersToContext(stream.codecpar);
  context.pktTimebase = stream.timeBase;
  av.FFmpegError.throwIfError(await context.open2(codec), 'open decoder');
  const scaler = new av.SoftwareScaleContext();
  scaler.allocContext();
  scaler.setOption('sws_flags', 'bicubic+accurate_rnd+full_chroma_int+full_chroma_inp');
  const frames: { pts: Rational; format: string; planes: Buffer[]; strides: number[] }[] = [];
  const packet = new av.Packet();
  packet.alloc();
  const frame = new av.Frame();
  frame.alloc();
  const drain = async () => {
    while ((await context.receiveFrame(frame)) >= 0) {
      let shown = frame;
      if (format) {
        shown = new av.Frame();
        shown.alloc();
        shown.width = frame.width;
        shown.height = frame.height;
        shown.format = av.avGetPixFmtFromName(format);
        av.FFmpegError.throwIfError(await scaler.scaleFrame(shown, frame), 'scale');
      }
      const { num, den } = stream.timeBase;
      frames.push({
        pts: rational(frame.bestEffortTimestamp * BigInt(num), BigInt(den)),
        format: av.avGetPixFmtName(frame.format as Parameters<typeof av.avGetPixFmtName>[0]) ?? '',
        planes: (shown.data ?? []).map((plane) => Buffer.from(plane)),
        strides: shown.linesize,
      });
    }
  };
  while ((await input.readFrame(packet)) >= 0) {
    if (packet.streamIndex === stream.index) {
      await context.sendPacket(packet);
      await drain();
    }
    packet.unref();
  }
  await context.sendPacket(null);
  await drain();
  context.freeContext();
  await input.closeInput();
  return frames;
}
