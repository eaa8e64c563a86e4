import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CodecContext, FormatContext, Frame, Stream } from 'node-av';
import { type Av, checkAv, loadAv } from '../../ts/video/av.js';
import { displayMatrix } from '../../ts/video/display-matrix.js';
import type { ColorInfo } from '../../ts/video/types.js';

/** A folder of this process's own, removed when it ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'flavr-video-'));
  process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

export interface VideoRecipe {
  readonly width?: number;
  readonly height?: number;
  /** Number of frames, or each one's time in units of `timeBase`; 0: no video stream at all. */
  readonly frames?: number | readonly number[];
  /** Default 1/25. */
  readonly timeBase?: readonly [number, number];
  /** Default libx264, lossless enough for flat pictures. */
  readonly codec?: string;
  /** Default yuv420p. */
  readonly pixelFormat?: string;
  readonly encoderOptions?: Readonly<Record<string, string>>;
  readonly formatOptions?: Readonly<Record<string, string>>;
  /** FFmpeg's numbers. */
  readonly color?: Partial<ColorInfo>;
  readonly sampleAspect?: readonly [number, number];
  /** Degrees clockwise. */
  readonly rotation?: number;
  readonly interlaced?: boolean;
  /** Of the video stream. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Silent audio streams of two seconds in front of the video stream. */
  readonly audio?: number;
  /** Fills the frame's planes. Default: frame i is flat, luma 60 + 4i (grey), alpha 255. */
  readonly paint?: (planes: Buffer[], index: number, frame: Frame) => void;
}

/** Moving texture that does not compress well. */
export function paintNoise(planes: Buffer[], index: number): void {
  for (const [p, plane] of planes.entries()) {
    for (let i = 0; i < plane.length; i++) plane[i] = (i * 7 + (i >> 5) * 13 + index * 31 * (p + 1)) & 255;
  }
}

/** Writes a small video file through FFmpeg. */
export async function makeVideo(path: string, recipe: VideoRecipe = {}): Promise<string> {
  const av = await loadAv();
  const check = (result: number, what: string) => checkAv(av, result, 'VIDEO_UNWRITABLE', `${path}: ${what}`);
  const { width = 64, height = 48, frames = 5, timeBase = [1, 25], color = {} } = recipe;
  const times = typeof frames === 'number' ? Array.from({ length: frames }, (_, i) => i) : frames;
  const format = new av.FormatContext();
  check(format.allocOutputContext2(null, null, path), 'container');
  const audio = Array.from({ length: recipe.audio ?? 0 }, () => addAudio(av, format));
  if (times.length === 0) {
    check(await format.openOutput(), 'open');
    check(await format.writeHeader(), 'header');
    for (const one of audio) await writeSilence(av, format, one);
    check(await format.writeTrailer(), 'trailer');
    await format.closeOutput();
    return path;
  }
  const encoder = av.Codec.findEncoderByName((recipe.codec ?? 'libx264') as never)!;
  const context = new av.CodecContext();
  context.allocContext3(encoder);
  const [num, den] = timeBase;
  Object.assign(context, {
    width,
    height,
    pixelFormat: av.avGetPixFmtFromName(recipe.pixelFormat ?? 'yuv420p'),
    timeBase: new av.Rational(num, den),
    framerate: new av.Rational(25, 1),
    threadCount: 1,
    colorPrimaries: color.primaries ?? 2,
    colorTrc: color.transfer ?? 2,
    colorSpace: color.matrix ?? 2,
    colorRange: color.range ?? 0,
    chromaLocation: color.chromaLocation ?? 0,
  });
  if (recipe.sampleAspect) context.sampleAspectRatio = new av.Rational(...recipe.sampleAspect);
  if (format.oformat?.hasFlags(av.AVFMT_GLOBALHEADER as never)) context.setFlags(av.AV_CODEC_FLAG_GLOBAL_HEADER);
  const defaults = recipe.codec === undefined ? { qp: '1', preset: 'ultrafast' } : {};
  const encoderOptions = av.Dictionary.fromObject({ ...defaults, ...recipe.encoderOptions });
  check(await context.open2(encoder, encoderOptions), 'encoder');
  const stream = format.newStream();
  stream.timeBase = context.timeBase;
  stream.avgFrameRate = context.framerate;
  check(stream.codecpar.fromContext(context), 'parameters');
  if (recipe.metadata) stream.metadata = av.Dictionary.fromObject(recipe.metadata);
  if (recipe.rotation) stream.codecpar.addCodedSideData(av.AV_PKT_DATA_DISPLAYMATRIX, displayMatrix(recipe.rotation));
  check(await format.openOutput(), 'open');
  check(await format.writeHeader(av.Dictionary.fromObject({ ...recipe.formatOptions })), 'header');
  for (const one of audio) await writeSilence(av, format, one);
  const frame = new av.Frame();
  frame.alloc();
  for (const [index, time] of times.entries()) {
    Object.assign(frame, { width, height, format: context.pixelFormat, colorRange: context.colorRange });
    Object.assign(frame, { colorSpace: context.colorSpace });
    check(frame.getBuffer(), 'frame');
    (recipe.paint ?? paintGrey)(frame.data!, index, frame);
    frame.pts = BigInt(time);
    frame.duration = BigInt((times[index + 1] ?? time + (time - (times[index - 1] ?? time - 1))) - time);
    if (recipe.interlaced) frame.setFlags(av.AV_FRAME_FLAG_INTERLACED, av.AV_FRAME_FLAG_TOP_FIELD_FIRST);
    check(await context.sendFrame(frame), 'encode');
    frame.unref();
    await drain(av, format, context, stream);
  }
  await context.sendFrame(null);
  await drain(av, format, context, stream);
  check(await format.writeTrailer(), 'trailer');
  await format.closeOutput();
  context.freeContext();
  frame.free();
  return path;
}

function paintGrey(planes: Buffer[], index: number): void {
  planes[0]!.fill(60 + 4 * index);
  planes[1]?.fill(128);
  planes[2]?.fill(128);
  planes[3]?.fill(255);
}

async function drain(av: Av, format: FormatContext, context: CodecContext, stream: Stream): Promise<void> {
  const packet = new av.Packet();
  packet.alloc();
  while ((await context.receivePacket(packet)) >= 0) {
    packet.streamIndex = stream.index;
    packet.rescaleTs(context.timeBase, stream.timeBase);
    checkAv(av, await format.interleavedWriteFrame(packet), 'VIDEO_UNWRITABLE', 'packet');
  }
  packet.free();
}

const SAMPLE_RATE = 8000;

function addAudio(av: Av, format: FormatContext): Stream {
  const stream = format.newStream();
  Object.assign(stream.codecpar, {
    codecType: av.AVMEDIA_TYPE_AUDIO,
    codecId: av.AV_CODEC_ID_PCM_S16LE,
    format: av.AV_SAMPLE_FMT_S16,
    sampleRate: SAMPLE_RATE,
    channelLayout: av.avChannelLayoutDefault(1),
    bitsPerCodedSample: 16,
  });
  stream.timeBase = new av.Rational(1, SAMPLE_RATE);
  return stream;
}

async function writeSilence(av: Av, format: FormatContext, stream: Stream): Promise<void> {
  const packet = new av.Packet();
  packet.alloc();
  for (let sample = 0; sample < 2 * SAMPLE_RATE; sample += 1000) {
    packet.data = Buffer.alloc(2000);
    packet.streamIndex = stream.index;
    packet.pts = BigInt(sample);
    packet.dts = packet.pts;
    packet.duration = 1000n;
    packet.rescaleTs({ num: 1, den: SAMPLE_RATE }, stream.timeBase);
    checkAv(av, await format.interleavedWriteFrame(packet), 'VIDEO_UNWRITABLE', 'audio');
  }
  packet.free();
}
