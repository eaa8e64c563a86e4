import type { CodecContext, Frame, Packet } from 'node-av';
import { av } from './sink-helper.js';

/** What a source file for the sink's tests holds beside two seconds of 64x48 video at 25 frames per second. */
export interface SourceParts {
  readonly muxer: string;
  readonly audio?: readonly {
    encoder: string;
    language?: string;
    rate?: number;
    channels?: number;
    /** Numbers of packets whose first bytes are overwritten. */
    damaged?: readonly number[];
    /** Number of the packet from which on all are dated ten hours later. */
    jump?: number;
  }[];
  /** Default libx264. */
  readonly video?: string;
  readonly subtitles?: readonly {
    codec: 'SUBRIP' | 'ASS' | 'MOV_TEXT' | 'WEBVTT' | 'DVD_SUBTITLE';
    language?: string;
    cues: readonly { at: number; length: number; data: Buffer }[];
    extradata?: Buffer;
  }[];
  readonly attachments?: readonly { filename: string; mimetype: string; data: Buffer }[];
  readonly metadata?: Record<string, string>;
  readonly frames?: number;
  readonly displayMatrix?: Buffer;
  /** A PNG file. */
  readonly cover?: Buffer;
}

interface Queued {
  readonly packet: Packet;
  readonly seconds: number;
}

const check = (result: number, what: string) => av.FFmpegError.throwIfError(result, what);

async function encodeAll(context: CodecContext, frames: Iterable<Frame>, index: number): Promise<Queued[]> {
  const queued: Queued[] = [];
  const { num, den } = context.timeBase;
  const drain = async () => {
    for (;;) {
      const packet = new av.Packet();
      packet.alloc();
      if ((await context.receivePacket(packet)) < 0) return;
      packet.streamIndex = index;
      packet.timeBase = { num, den };
      queued.push({ packet, seconds: (Number(packet.dts) * num) / den });
    }
  };
  for (const frame of frames) {
    check(await context.sendFrame(frame), 'encode');
    frame.free();
    await drain();
  }
  await context.sendFrame(null);
  await drain();
  return queued;
}

function* videoFrames(count: number): Generator<Frame> {
  for (let n = 0; n < count; n += 1) {
    const frame = new av.Frame();
    frame.alloc();
    Object.assign(frame, { width: 64, height: 48, format: av.AV_PIX_FMT_YUV420P, pts: BigInt(n) });
    check(frame.getBuffer(), 'frame');
    for (const [plane, data] of (frame.data ?? []).entries()) data.fill(plane === 0 ? 16 + ((n * 4) % 200) : 128);
    yield frame;
  }
}

function* sine(context: CodecContext, seconds: number): Generator<Frame> {
  const size = context.frameSize || 1024;
  const total = Math.round(context.sampleRate * seconds);
  for (let start = 0; start < total; start += size) {
    const samples = Math.min(size, total - start);
    const frame = new av.Frame();
    frame.alloc();
    Object.assign(frame, {
      nbSamples: samples,
      format: context.sampleFormat,
      sampleRate: context.sampleRate,
      channelLayout: context.channelLayout,
      pts: BigInt(start),
    });
    check(frame.getBuffer(), 'frame');
    const float = av.avGetSampleFmtName(context.sampleFormat)?.startsWith('flt');
    const width = float ? 4 : 2;
    for (const data of frame.extendedData ?? []) {
      for (let i = 0; i * width + width <= data.length; i += 1) {
        const value = 0.4 * Math.sin(((start + i) * 2 * Math.PI * 440) / context.sampleRate);
        if (float) data.writeFloatLE(value, i * width);
        else data.writeInt16LE(Math.round(value * 32_767), i * width);
      }
    }
    yield frame;
  }
}

function damage(packet: Packet): void {
  const { pts, dts, duration, streamIndex, timeBase, data } = packet;
  packet.data = Buffer.concat([Buffer.alloc(16, 0xff), data!.subarray(16)]);
  Object.assign(packet, { pts, dts, duration, streamIndex, timeBase });
}

/** Writes a real file with FFmpeg's own muxer, without any of flavr's code. */
export async function buildSource(path: string, parts: SourceParts): Promise<void> {
  const output = new av.FormatContext();
  check(output.allocOutputContext2(null, parts.muxer, path), 'container');
  const queue: Queued[] = [];
  const contexts: CodecContext[] = [];
  const globalHeader = output.oformat?.hasFlags(av.AVFMT_GLOBALHEADER) ?? false;
  const addStream = (context: CodecContext, metadata: Record<string, string> = {}) => {
    const stream = output.newStream(null);
    stream.codecpar.fromContext(context);
    stream.timeBase = context.timeBase;
    stream.metadata = av.Dictionary.fromObject(metadata);
    return stream.index;
  };
  const open = async (name: string, set: (context: CodecContext) => void) => {
    const codec = av.Codec.findEncoderByName(name as never);
    const context = new av.CodecContext();
    context.allocContext3(codec);
    set(context);
    if (globalHeader) context.setFlags(av.AV_CODEC_FLAG_GLOBAL_HEADER);
    check(await context.open2(codec), name);
    contexts.push(context);
    return context;
  };
  const frames = parts.frames ?? 50;
  const video = await open(parts.video ?? 'libx264', (context) => {
    Object.assign(context, { width: 64, height: 48, pixelFormat: av.AV_PIX_FMT_YUV420P });
    context.timeBase = new av.Rational(1, 25);
    context.framerate = new av.Rational(25, 1);
  });
  queue.push(...(await encodeAll(video, videoFrames(frames), addStream(video))));
  if (parts.displayMatrix) {
    output.streams[0]!.codecpar.addCodedSideData(av.AV_PKT_DATA_DISPLAYMATRIX, parts.displayMatrix);
  }
  for (const { encoder, language, rate = 48_000, channels = 2, damaged = [], jump = Infinity } of parts.audio ?? []) {
    const audio = await open(encoder, (context) => {
      context.sampleRate = rate;
      context.sampleFormat = av.Codec.findEncoderByName(encoder as never)!.sampleFormats![0]!;
      context.channelLayout = av.avChannelLayoutDefault(channels);
      context.timeBase = new av.Rational(1, rate);
    });
    const index = addStream(audio, language ? { language } : {});
    const packets = await encodeAll(audio, sine(audio, frames / 25), index);
    for (const number of damaged) damage(packets[number]!.packet);
    for (const { packet } of packets.slice(jump)) {
      packet.pts += BigInt(36_000 * rate);
      packet.dts += BigInt(36_000 * rate);
    }
    queue.push(...packets);
  }
  for (const { codec, language, cues, extradata } of parts.subtitles ?? []) {
    const stream = output.newStream(null);
    stream.codecpar.codecType = av.AVMEDIA_TYPE_SUBTITLE;
    stream.codecpar.codecId = av[`AV_CODEC_ID_${codec}`];
    if (extradata) stream.codecpar.extradata = extradata;
    stream.timeBase = new av.Rational(1, 1000);
    if (language) stream.metadata = av.Dictionary.fromObject({ language });
    for (const { at, length, data } of cues) {
      const packet = new av.Packet();
      packet.alloc();
      packet.data = data;
      packet.streamIndex = stream.index;
      packet.timeBase = { num: 1, den: 1000 };
      packet.pts = BigInt(at);
      packet.dts = BigInt(at);
      packet.duration = BigInt(length);
      queue.push({ packet, seconds: at / 1000 });
    }
  }
  for (const { filename, mimetype, data } of parts.attachments ?? []) {
    const stream = output.newStream(null);
    stream.codecpar.codecType = av.AVMEDIA_TYPE_ATTACHMENT;
    stream.codecpar.codecId = av.AV_CODEC_ID_TTF;
    stream.codecpar.extradata = data;
    stream.metadata = av.Dictionary.fromObject({ filename, mimetype });
  }
  if (parts.cover) {
    const stream = output.newStream(null);
    Object.assign(stream.codecpar, {
      codecType: av.AVMEDIA_TYPE_VIDEO,
      codecId: av.AV_CODEC_ID_PNG,
      width: 8,
      height: 8,
    });
    stream.setDisposition(av.AV_DISPOSITION_ATTACHED_PIC);
    const packet = new av.Packet();
    packet.alloc();
    packet.data = parts.cover;
    Object.assign(packet, { streamIndex: stream.index, pts: 0n, dts: 0n, timeBase: { num: 1, den: 90_000 } });
    packet.isKeyframe = true;
    queue.push({ packet, seconds: 0 });
  }
  if (parts.metadata) output.metadata = av.Dictionary.fromObject(parts.metadata);
  check(await output.openOutput(), path);
  check(await output.writeHeader(), 'header');
  queue.sort((a, b) => a.seconds - b.seconds);
  for (const { packet } of queue) {
    packet.rescaleTs(packet.timeBase, output.streams[packet.streamIndex]!.timeBase);
    check(await output.interleavedWriteFrame(packet), 'packet');
    packet.free();
  }
  check(await output.writeTrailer(), 'trailer');
  await output.closeOutput();
  for (const context of contexts) context.freeContext();
}
