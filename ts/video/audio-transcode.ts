import type { AVSampleFormat, Codec, CodecContext, Frame, Packet, Stream } from 'node-av';
import { FlavrError } from '../errors.js';
import { add, divide, type Rational, rational, subtract, toNumber } from '../rational.js';
import { type Av, checkAv } from './av.js';
import { fromTicks, type Timeline, toTicks } from './clock.js';
import { type FilterNode, Filters } from './filters.js';
import type { PacketTimes } from './mux.js';

export interface TranscodeOptions {
  /** FFmpeg's encoder name. */
  readonly encoder: string;
  /** Its `slow` stretches the sound, at the same pitch. */
  readonly timeline: Timeline;
  readonly globalHeader: boolean;
}

type SampleForm = Pick<Frame, 'sampleRate' | 'channelLayout'>;
type Emit = (packet: Packet, times: PacketTimes) => Promise<void>;

// About what listeners take for transparent, with AAC, Opus and MP3 alike.
const BITS_PER_CHANNEL = 96_000;
const FAILED = 'The sound cannot be converted';

/** Decodes one audio stream, stretches it where time is stretched, and encodes it anew. */
export class AudioTranscoder {
  readonly encoder: CodecContext;
  /** One tick of the encoder's clock, in seconds. */
  readonly step: Rational;
  readonly #av: Av;
  readonly #decoder: CodecContext;
  readonly #inputStep: Rational;
  // What the decoder makes may change its form in the middle (5.1 between stereo, as on television): each has filters of its own.
  #uniform: { readonly from: string; readonly filters: Filters } | undefined;
  readonly #filters: Filters;
  readonly #timeline: Timeline;
  // Where the first decoded and the first filtered frame begin: what comes out is dated from there on.
  #start: Rational | undefined;
  // Where the latest decoded frame ends, in seconds of the source: decoders do not date every frame, least of all the last.
  #decodedEnd: Rational;
  #filteredStart: Rational | undefined;
  #damaged = 0;

  private constructor(
    av: Av,
    decoder: CodecContext,
    filters: Filters,
    encoder: CodecContext,
    inputStep: Rational,
    timeline: Timeline,
  ) {
    this.#av = av;
    this.#decoder = decoder;
    this.#filters = filters;
    this.encoder = encoder;
    this.#inputStep = inputStep;
    this.#timeline = timeline;
    this.#decodedEnd = timeline.origin;
    this.step = rational(1, encoder.sampleRate);
  }

  /** @throws FlavrError `VIDEO_UNSUPPORTED` where this FFmpeg cannot decode the stream. */
  static async open(av: Av, input: Stream, options: TranscodeOptions): Promise<AudioTranscoder> {
    const decoder = new av.CodecContext();
    const encoder = new av.CodecContext();
    try {
      await openDecoder(av, decoder, input);
      await openEncoder(av, encoder, decoder, options);
      const inputStep = rational(input.timeBase.num, input.timeBase.den);
      const step = rational(1, encoder.sampleRate);
      const filters = await Filters.create(av, steadyNodes(av, encoder, step, options.timeline.slow), FAILED);
      return new AudioTranscoder(av, decoder, filters, encoder, inputStep, options.timeline);
    } catch (error) {
      decoder.freeContext();
      encoder.freeContext();
      throw error;
    }
  }

  /** How many packets could not be decoded. They are left out, as players do; the sound around them keeps its place. */
  get damaged(): number {
    return this.#damaged;
  }

  /** Takes a packet of the source, or null at the end; hands on every packet that is then ready. */
  async write(packet: Packet | null, emit: Emit): Promise<void> {
    const av = this.#av;
    const isDecoded = (result: number) => {
      if (result === av.AVERROR_ENOMEM) checkAv(av, result, 'VIDEO_UNREADABLE', FAILED);
      if (result < 0) this.#damaged += 1;
      return result >= 0;
    };
    if (!isDecoded(await this.#decoder.sendPacket(packet))) return;
    const frame = new av.Frame();
    frame.alloc();
    try {
      for (;;) {
        const result = await this.#decoder.receiveFrame(frame);
        if (result === av.AVERROR_EAGAIN || result === av.AVERROR_EOF) break;
        if (isDecoded(result)) await this.#takeDecoded(frame, emit);
        frame.unref();
      }
      if (packet) return;
      await this.#endUniform(emit);
      await this.#filters.push(null, (filtered) => this.#encode(filtered, emit));
      await this.#encode(null, emit);
    } finally {
      frame.free();
    }
  }

  async #takeDecoded(frame: Frame, emit: Emit): Promise<void> {
    const time = this.#date(frame);
    this.#start ??= this.#timeline.toOutput(time);
    const nodes = uniformNodes(this.#av, frame, this.#inputStep, this.encoder);
    const from = nodes[0]!.args!;
    if (this.#uniform?.from !== from) {
      await this.#endUniform(emit);
      this.#uniform = { from, filters: await Filters.create(this.#av, nodes, FAILED) };
    }
    await this.#pushUniform(frame, emit);
  }

  async #pushUniform(frame: Frame | null, emit: Emit): Promise<void> {
    const { filters } = this.#uniform!;
    await filters.push(frame, async (uniform) => {
      uniform.pts = toTicks(fromTicks(uniform.pts, filters.step), this.step);
      await this.#filters.push(uniform, (filtered) => this.#encode(filtered, emit));
    });
  }

  async #endUniform(emit: Emit): Promise<void> {
    if (!this.#uniform) return;
    await this.#pushUniform(null, emit);
    this.#uniform.filters.free();
    this.#uniform = undefined;
  }

  /** Gives a decoded frame its time, and says it. */
  #date(frame: Frame): Rational {
    const stamp = frame.bestEffortTimestamp;
    const time = stamp === this.#av.AV_NOPTS_VALUE ? this.#decodedEnd : fromTicks(stamp, this.#inputStep);
    frame.pts = toTicks(time, this.#inputStep);
    this.#decodedEnd = add(time, rational(frame.nbSamples, frame.sampleRate));
    return time;
  }

  close(): void {
    this.#decoder.freeContext();
    this.#uniform?.filters.free();
    this.#filters.free();
    this.encoder.freeContext();
  }

  async #encode(frame: Frame | null, emit: Emit): Promise<void> {
    const av = this.#av;
    if (frame) {
      const time = fromTicks(frame.pts, this.#filters.step);
      this.#filteredStart ??= time;
      frame.pts = toTicks(add(this.#start!, subtract(time, this.#filteredStart)), this.step);
      frame.timeBase = this.encoder.timeBase;
    }
    checkAv(av, await this.encoder.sendFrame(frame), 'VIDEO_UNWRITABLE', FAILED);
    const packet = new av.Packet();
    packet.alloc();
    try {
      for (;;) {
        const result = await this.encoder.receivePacket(packet);
        if (result === av.AVERROR_EAGAIN || result === av.AVERROR_EOF) return;
        checkAv(av, result, 'VIDEO_UNWRITABLE', FAILED);
        const seconds = (ticks: bigint) => fromTicks(ticks, this.step);
        await emit(packet, {
          pts: seconds(packet.pts),
          dts: seconds(packet.dts),
          duration: seconds(packet.duration),
        });
        packet.unref();
      }
    } finally {
      packet.free();
    }
  }
}

async function openDecoder(av: Av, decoder: CodecContext, input: Stream): Promise<void> {
  const codec = av.Codec.findDecoder(input.codecpar.codecId);
  if (!codec) {
    const name = av.avGetCodecName(input.codecpar.codecId) ?? 'unknown';
    throw new FlavrError('VIDEO_UNSUPPORTED', `${FAILED}: this FFmpeg has no decoder for ${name}.`);
  }
  decoder.allocContext3(codec);
  checkAv(av, decoder.parametersToContext(input.codecpar), 'VIDEO_UNSUPPORTED', FAILED);
  decoder.pktTimebase = input.timeBase;
  checkAv(av, await decoder.open2(codec), 'VIDEO_UNSUPPORTED', FAILED);
}

async function openEncoder(av: Av, encoder: CodecContext, decoder: CodecContext, options: TranscodeOptions) {
  const codec = av.Codec.findEncoderByName(options.encoder as Parameters<typeof av.Codec.findEncoderByName>[0]);
  if (!codec) throw new FlavrError('VIDEO_UNSUPPORTED', `${FAILED}: this FFmpeg has no encoder ${options.encoder}.`);
  encoder.allocContext3(codec);
  encoder.sampleRate = nearestRate(codec, decoder.sampleRate);
  encoder.sampleFormat = codec.sampleFormats?.[0] ?? decoder.sampleFormat;
  encoder.channelLayout = av.avChannelLayoutDefault(mostChannels(codec, decoder.channels));
  encoder.timeBase = new av.Rational(1, encoder.sampleRate);
  encoder.bitRate = BigInt(BITS_PER_CHANNEL * encoder.channels);
  if (options.globalHeader) encoder.setFlags(av.AV_CODEC_FLAG_GLOBAL_HEADER);
  checkAv(av, await encoder.open2(codec), 'VIDEO_UNSUPPORTED', `${FAILED} to ${options.encoder}`);
}

function nearestRate(codec: Codec, rate: number): number {
  const rates = codec.supportedSamplerates ?? [];
  return rates.length === 0 || rates.includes(rate)
    ? rate
    : Math.min(...rates.filter((other) => other > rate), Math.max(...rates));
}

function mostChannels(codec: Codec, channels: number): number {
  const counts = (codec.channelLayouts ?? []).map(({ nbChannels }) => nbChannels);
  return counts.length === 0 ? channels : Math.max(...counts.filter((count) => count <= channels), Math.min(...counts));
}

/** The filter that takes samples of one form, with times in `step`. */
function bufferOf(
  av: Av,
  { sampleRate, channelLayout }: SampleForm,
  format: AVSampleFormat,
  step: Rational,
): FilterNode {
  const samples = `sample_rate=${sampleRate}:sample_fmt=${av.avGetSampleFmtName(format) ?? ''}`;
  const layout = av.avChannelLayoutDescribe(channelLayout) ?? 'stereo';
  return { name: 'abuffer', args: `time_base=${step.num}/${step.den}:${samples}:channel_layout=${layout}` };
}

/** From the decoder's samples to the encoder's. */
function uniformNodes(av: Av, frame: Frame, step: Rational, encoder: CodecContext): FilterNode[] {
  const format = av.avGetSampleFmtName(encoder.sampleFormat) ?? '';
  const layout = av.avChannelLayoutDescribe(encoder.channelLayout) ?? 'stereo';
  return [
    bufferOf(av, frame, frame.format as AVSampleFormat, step),
    { name: 'aformat', args: `sample_fmts=${format}:sample_rates=${encoder.sampleRate}:channel_layouts=${layout}` },
    { name: 'abuffersink' },
  ];
}

/** What the encoder is given, in the pieces that it takes. */
function steadyNodes(av: Av, encoder: CodecContext, step: Rational, slow: Rational): FilterNode[] {
  return [
    bufferOf(av, encoder, encoder.sampleFormat, step),
    // Silence for gaps, also of one packet (about 20 ms): what follows counts samples, not times.
    { name: 'aresample', args: 'async=1:min_hard_comp=0.015' },
    ...tempos(toNumber(divide(rational(1), slow))).map((tempo) => ({ name: 'atempo', args: `tempo=${tempo}` })),
    { name: 'aformat', args: `sample_fmts=${av.avGetSampleFmtName(encoder.sampleFormat) ?? ''}` },
    ...(encoder.frameSize > 0 ? [{ name: 'asetnsamples', args: `n=${encoder.frameSize}:p=0` }] : []),
    { name: 'abuffersink' },
  ];
}

/** Equal tempo changes, each within what one filter does without dropping samples (0.5 to 2), that make `tempo` together. */
function tempos(tempo: number): number[] {
  if (tempo === 1) return [];
  const count = Math.max(1, Math.ceil(Math.abs(Math.log2(tempo))));
  return Array.from({ length: count }, () => tempo ** (1 / count));
}
