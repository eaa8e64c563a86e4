import type { AVCodecID, AVMediaType, CodecParameters, Packet, Stream } from 'node-av';
import { FlavrError, throwIfAborted } from '../errors.js';
import { add, compare, type Rational, rational, subtract, ZERO } from '../rational.js';
import { AudioTranscoder } from './audio-transcode.js';
import { type Av, checkAv } from './av.js';
import { fromTicks, type Timeline } from './clock.js';
import type { Container, TextSubtitles } from './containers.js';
import { readCover, streamMetadata } from './copy-source.js';
import { keepStreams, nextPacket, type OpenedFile } from './demuxer.js';
import type { Muxer, OutputStream, PacketTimes } from './mux.js';
import { convertSubtitle, isTextSubtitle, subtitleExtradata } from './subtitles.js';

const ONE = rational(1);
// How long before the range's start a subtitle may begin that is still shown then.
const LONGEST_SUBTITLE = rational(30);
// Beyond the video's end, sound that is encoded anew may pause for this long; only damage sets packets further away.
const LONGEST_PAUSE = rational(60);

/** The way of one source stream's packets to the file. */
interface Route {
  readonly input: Stream;
  /** One tick of the stream's clock, in seconds. */
  readonly step: Rational;
  write(packet: Packet, times: PacketTimes): Promise<void>;
  finish?(): Promise<void>;
  close?(): void;
}

export interface CopyOptions {
  /** Of the source. */
  readonly path: string;
  readonly container: Container;
  readonly timeline: Timeline;
  readonly audio: 'keep' | 'drop' | 'stretch';
}

/**
 * The streams of a source file beside its video: copied packet for packet where the container takes them, converted
 * where it demands it. Read only as far as the video has come, so that memory stays bounded.
 */
export class StreamCopier {
  readonly #av: Av;
  readonly #source: OpenedFile;
  readonly #muxer: Muxer;
  readonly #options: CopyOptions;
  readonly #warnings: string[] = [];
  readonly #routes = new Map<number, Route>();
  // Streams of which nothing more is to come before the range's end.
  readonly #done = new Set<Route>();
  readonly #packet: Packet;
  // Of the packet that was read but lies beyond the video's time.
  #pending: { route: Route; times: PacketTimes } | undefined;
  #ended = false;
  #videoEnded = false;

  private constructor(av: Av, source: OpenedFile, muxer: Muxer, options: CopyOptions) {
    this.#av = av;
    this.#source = source;
    this.#muxer = muxer;
    this.#options = options;
    this.#packet = new av.Packet();
    this.#packet.alloc();
  }

  /** Adds an output stream for every source stream that is kept; names the others in a warning. */
  static async create(av: Av, source: OpenedFile, muxer: Muxer, options: CopyOptions): Promise<StreamCopier> {
    const copier = new StreamCopier(av, source, muxer, options);
    try {
      await copier.#addRoutes();
      return copier;
    } catch (error) {
      copier.close();
      throw error;
    }
  }

  get warnings(): readonly string[] {
    const { warning } = this.#source;
    return warning ? [...this.#warnings, warning] : this.#warnings;
  }

  /** Writes every packet that comes at or before `time`, in seconds of the output; undefined: all that remain. */
  async pump(time: Rational | undefined): Promise<void> {
    for (;;) {
      this.#pending ??= await this.#read();
      if (!this.#pending) return;
      const { route, times } = this.#pending;
      if (time && compare(times.dts, time) > 0) return;
      await route.write(this.#packet, times);
      this.#packet.unref();
      this.#pending = undefined;
    }
  }

  async finish(): Promise<void> {
    this.#videoEnded = true;
    await this.pump(undefined);
    for (const route of this.#routes.values()) await route.finish?.();
  }

  close(): void {
    this.#ended = true;
    for (const route of this.#routes.values()) route.close?.();
    this.#packet.free();
  }

  get #stretches(): boolean {
    const { audio, timeline } = this.#options;
    return audio === 'stretch' && compare(timeline.slow, ONE) !== 0;
  }

  async #addRoutes(): Promise<void> {
    const { format, stream: video } = this.#source;
    for (const stream of format.streams) {
      const route = stream.index === video.index ? undefined : await this.#route(stream);
      if (route) this.#routes.set(stream.index, route);
    }
    keepStreams(this.#av, this.#source, ({ index }) => this.#routes.has(index));
    this.#ended = this.#routes.size === 0;
    const { start } = this.#options.timeline;
    if (this.#ended || !start) return;
    // A file that cannot seek is read from its beginning instead.
    const target = subtract(start, LONGEST_SUBTITLE);
    if (compare(target, ZERO) <= 0) return;
    await format.seekFrame(-1, (target.num * 1_000_000n) / target.den, this.#av.AVSEEK_FLAG_BACKWARD);
    this.#source.clock?.restart();
  }

  async #route(input: Stream): Promise<Route | undefined> {
    const av = this.#av;
    const { container, audio } = this.#options;
    const { codecpar } = input;
    const codec = av.avGetCodecName(codecpar.codecId) ?? 'unknown';
    switch (codecpar.codecType) {
      case av.AVMEDIA_TYPE_AUDIO:
        if (audio === 'drop') return undefined;
        if (!this.#stretches && (container.audio === 'any' || container.audio.includes(codec)))
          return this.#copy(input);
        if (container.audioEncoder) return this.#transcode(input, codec, container.audioEncoder);
        break;
      case av.AVMEDIA_TYPE_SUBTITLE:
        if (container.subtitles.includes(codec)) return this.#copy(input);
        if (container.textSubtitles && isTextSubtitle(codec)) {
          return this.#convertText(input, codec, container.textSubtitles);
        }
        break;
      case av.AVMEDIA_TYPE_ATTACHMENT:
        if (!container.attachments) break;
        // Its content is in the stream's description; no packet is to come.
        this.#copy(input);
        return undefined;
      case av.AVMEDIA_TYPE_VIDEO:
        if (!input.hasDisposition(av.AV_DISPOSITION_ATTACHED_PIC)) {
          return this.#leaveOut(input, codec, 'only one video stream is written');
        }
        if (container.cover === 'stream') return this.#copy(input);
        if (container.cover === 'attachment') return this.#attachCover(input, codec);
        break;
      default:
        // Chapter tracks and the like, which are no content of their own.
        if (codec === 'bin_data' || codec === 'none' || codec === 'unknown_codec') return undefined;
    }
    return this.#leaveOut(input, codec, `${container.muxer} cannot hold it`);
  }

  #copy(input: Stream): Route {
    const step = rational(input.timeBase.num, input.timeBase.den);
    const output = this.#muxer.addStream(input.codecpar, step, this.#nameOf(input));
    this.#describe(output, input);
    return { input, step, write: (packet, times) => this.#muxer.write(packet, output, times) };
  }

  /** A cover picture as Matroska wants it: a file, named "cover" unless it has a name, of which no packet is to come. */
  async #attachCover(input: Stream, codec: string): Promise<undefined> {
    const picture = await readCover(this.#av, this.#options.path, input.index);
    if (!picture) return;
    const parameters = this.#parameters(this.#av.AVMEDIA_TYPE_ATTACHMENT, input.codecpar.codecId, picture);
    const output = this.#muxer.addStream(parameters, rational(1));
    parameters.free();
    const type = codec === 'mjpeg' ? 'jpeg' : codec;
    const filename = input.metadata?.get('filename') ?? `cover.${type === 'jpeg' ? 'jpg' : type}`;
    output.stream.metadata = this.#av.Dictionary.fromObject({ filename, mimetype: `image/${type}` });
  }

  #parameters(type: AVMediaType, codec: AVCodecID, extradata: Buffer | undefined): CodecParameters {
    const parameters = new this.#av.CodecParameters();
    parameters.alloc();
    parameters.codecType = type;
    parameters.codecId = codec;
    parameters.extradata = extradata ?? null;
    return parameters;
  }

  async #transcode(input: Stream, codec: string, encoder: string): Promise<Route | undefined> {
    const { container, timeline } = this.#options;
    const globalHeader = this.#muxer.wantsGlobalHeader;
    let transcoder: AudioTranscoder;
    try {
      transcoder = await AudioTranscoder.open(this.#av, input, { encoder, timeline, globalHeader });
    } catch (error) {
      if (!(error instanceof FlavrError)) throw error;
      return this.#leaveOut(input, codec, error.message.replace(/\.$/, ''));
    }
    if (!this.#stretches) {
      this.#warnings.push(
        `${this.#nameOf(input)} is re-encoded from ${codec} with ${encoder}: ${container.muxer} cannot hold it.`,
      );
    }
    const output = this.#muxer.addStream(transcoder.encoder, transcoder.step);
    this.#describe(output, input);
    const emit = (packet: Packet, times: PacketTimes) => this.#muxer.write(packet, output, times);
    let end: Rational | undefined;
    let astray = 0;
    return {
      input,
      step: rational(input.timeBase.num, input.timeBase.den),
      write: async (packet, { pts, duration }) => {
        // The silence up to there would be encoded, for hours or without end.
        if (this.#videoEnded && end && compare(pts, add(end, LONGEST_PAUSE)) > 0) {
          astray += 1;
          return;
        }
        end = add(pts, duration);
        await transcoder.write(packet, emit);
      },
      finish: async () => {
        await transcoder.write(null, emit);
        const { damaged } = transcoder;
        const warn = (packets: number, why: string) => {
          if (packets === 0) return;
          this.#warnings.push(`${this.#nameOf(input)} is damaged: ${packets} of its packets ${why} and are left out.`);
        };
        warn(damaged, 'could not be decoded');
        warn(astray, 'are dated far behind all others');
      },
      close: () => transcoder.close(),
    };
  }

  #convertText(input: Stream, from: string, to: TextSubtitles): Route {
    const av = this.#av;
    const step = rational(input.timeBase.num, input.timeBase.den);
    const codecs = {
      mov_text: av.AV_CODEC_ID_MOV_TEXT,
      subrip: av.AV_CODEC_ID_SUBRIP,
      webvtt: av.AV_CODEC_ID_WEBVTT,
    };
    const parameters = this.#parameters(av.AVMEDIA_TYPE_SUBTITLE, codecs[to], subtitleExtradata(to));
    const output = this.#muxer.addStream(parameters, step, this.#nameOf(input));
    parameters.free();
    this.#describe(output, input);
    const write = async (packet: Packet, times: PacketTimes) => {
      const text = convertSubtitle(packet.data ?? Buffer.alloc(0), from, to);
      if (!text) return;
      packet.unref();
      packet.data = text;
      await this.#muxer.write(packet, output, times);
    };
    return { input, step, write };
  }

  #describe(output: OutputStream, input: Stream): void {
    output.stream.disposition = input.disposition;
    output.stream.metadata = this.#av.Dictionary.fromObject(streamMetadata(input));
  }

  /** A sentence's beginning for warnings. */
  #nameOf(input: Stream): string {
    const kind = this.#av.avGetMediaTypeString(input.codecpar.codecType) ?? 'unknown';
    return `The ${kind} stream ${input.index}`;
  }

  #leaveOut(input: Stream, codec: string, reason: string): undefined {
    const { language, filename } = input.metadata?.getAll() ?? {};
    const name = [codec, language, filename].filter(Boolean).join(', ');
    this.#warnings.push(`${this.#nameOf(input)} (${name}) is left out: ${reason}.`);
  }

  /** Reads the next packet of a kept stream within the range; undefined at the end of all of them. */
  async #read(): Promise<{ route: Route; times: PacketTimes } | undefined> {
    const av = this.#av;
    const { timeline } = this.#options;
    while (!this.#ended) {
      throwIfAborted(this.#muxer.signal);
      const result = await nextPacket(av, this.#source, this.#packet);
      if (result === av.AVERROR_EOF) break;
      checkAv(av, result, 'VIDEO_UNREADABLE', `${this.#options.path} could not be read`);
      const route = this.#routes.get(this.#packet.streamIndex);
      const times = route && this.#times(route);
      if (route && times) {
        const kept = this.#is(route, av.AVMEDIA_TYPE_SUBTITLE) ? clip(times, timeline) : times;
        if (timeline.isPastEnd(kept.pts)) this.#done.add(route);
        else if (!timeline.isBeforeStart(kept.pts)) return { route, times: toOutput(kept, timeline) };
      }
      this.#packet.unref();
      // Subtitles are too sparse to tell where the range's end has been passed.
      const sounds = [...this.#routes.values()].filter((other) => this.#is(other, av.AVMEDIA_TYPE_AUDIO));
      if (sounds.length > 0 && sounds.every((sound) => this.#done.has(sound))) break;
    }
    this.#ended = true;
    return undefined;
  }

  #is(route: Route, type: AVMediaType): boolean {
    return route.input.codecpar.codecType === type;
  }

  #times(route: Route): PacketTimes | undefined {
    const { pts, dts, duration } = this.#packet;
    const none = this.#av.AV_NOPTS_VALUE;
    if (route.input.hasDisposition(this.#av.AV_DISPOSITION_ATTACHED_PIC)) {
      const { origin } = this.#options.timeline;
      return { pts: origin, dts: origin, duration: ZERO };
    }
    if (pts === none && dts === none) return undefined;
    return {
      pts: fromTicks(pts === none ? dts : pts, route.step),
      dts: fromTicks(dts === none ? pts : dts, route.step),
      duration: fromTicks(duration, route.step),
    };
  }
}

/** A subtitle that is on screen at an end of the range is shown for as long as it is within. */
function clip({ pts, dts, duration }: PacketTimes, { start, end }: Timeline): PacketTimes {
  const until = add(pts, duration);
  const from = start && compare(pts, start) < 0 && compare(until, start) > 0 ? start : pts;
  const to = end && compare(until, end) > 0 ? end : until;
  return { pts: from, dts: from === pts ? dts : from, duration: subtract(to, from) };
}

function toOutput(times: PacketTimes, timeline: Timeline): PacketTimes {
  return {
    pts: timeline.toOutput(times.pts),
    dts: timeline.toOutput(times.dts),
    duration: timeline.scale(times.duration),
  };
}
