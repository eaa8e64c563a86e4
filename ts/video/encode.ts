import type { Codec, CodecContext, Frame, Packet } from 'node-av';
import { FlavrError } from '../errors.js';
import { type Rational, toNumber } from '../rational.js';
import { type Av, checkAv, toAvRational } from './av.js';
import { ALPHA_OUTPUTS, type EncoderProfile, encoderProfile } from './containers.js';
import { codedColor, type FrameMaker, FrameScaler, setColor } from './from-rgb.js';
import { FramePalette } from './palette.js';
import { pixelFormatTraits } from './pixel-format.js';
import type { WriteClock } from './stage-clock.js';
import type { VideoInfo } from './types.js';

export interface EncoderOptions {
  readonly info: VideoInfo;
  readonly codec: string;
  readonly crf: number | undefined;
  /** Passed to FFmpeg as they are, where the encoder knows them; `pix_fmt` chooses the pixel format. */
  readonly options: Readonly<Record<string, string>>;
  readonly threads: number | undefined;
  readonly frameRate: Rational | undefined;
  /** One tick of the times given to `encode`, in seconds. */
  readonly timeBase: Rational;
  /** The container wants the codec's headers apart from the stream. */
  readonly globalHeader: boolean;
  readonly clock: WriteClock;
}

/** Packed RGB to an encoder's packets, off the JavaScript thread, with exact times and durations. */
export class VideoEncoder {
  readonly context: CodecContext;
  /** Sentences for people about choices that they may not expect. */
  readonly warnings: readonly string[];
  /** Those of the given options that the encoder does not have. */
  readonly otherOptions: Readonly<Record<string, string>>;
  readonly #av: Av;
  readonly #maker: FrameMaker;
  readonly #clock: WriteClock;
  // Not every encoder hands durations through; those of frames that are inside it wait here, by presentation time.
  readonly #durations = new Map<bigint, bigint>();

  private constructor(
    av: Av,
    context: CodecContext,
    maker: FrameMaker,
    clock: WriteClock,
    warnings: readonly string[],
    otherOptions: Readonly<Record<string, string>>,
  ) {
    this.#av = av;
    this.context = context;
    this.#maker = maker;
    this.#clock = clock;
    this.warnings = warnings;
    this.otherOptions = otherOptions;
  }

  /**
   * @throws FlavrError `VIDEO_UNSUPPORTED` for an unknown encoder, one without alpha where frames have it, or one that
   * refuses these options; `BAD_ARGUMENT` for a pixel format or a rate factor that it does not have.
   */
  static async open(av: Av, options: EncoderOptions): Promise<VideoEncoder> {
    const { info, codec: name } = options;
    const codec = av.Codec.findEncoderByName(name as Parameters<typeof av.Codec.findEncoderByName>[0]);
    if (!codec || codec.type !== av.AVMEDIA_TYPE_VIDEO) {
      throw new FlavrError(
        'VIDEO_UNSUPPORTED',
        `There is no video encoder named "${name}" in this FFmpeg. Use for example libx264, libx265, libvpx-vp9 or libsvtav1.`,
      );
    }
    const profile = encoderProfile(name);
    if (profile.maxTicks && options.timeBase.den > profile.maxTicks) {
      throw new FlavrError(
        'VIDEO_UNSUPPORTED',
        `The encoder ${name} counts at most ${profile.maxTicks} ticks per second, and these frames need ${options.timeBase.den}. Choose another codec, such as libx264, or a constant rate, such as 60.`,
      );
    }
    const { pix_fmt: chosen, ...given } = options.options;
    const { format, warning } = choosePixelFormat(av, codec, info, profile, chosen);
    const context = new av.CodecContext();
    try {
      context.allocContext3(codec);
      const color = codedColor(info, format, profile.matrix);
      describe(av, context, options, format);
      setColor(context, color.tags);
      const find = (option: string) => {
        const found = av.Option.find(context.getNative(), option, av.AV_OPT_SEARCH_CHILDREN);
        return found?.type === av.AV_OPT_TYPE_CONST ? null : found;
      };
      const has = (option: string) => find(option) !== null;
      const crf = options.crf ?? profile.crf;
      if (crf !== undefined) {
        const rateFactor = find('crf');
        if (!rateFactor) {
          throw new FlavrError('BAD_ARGUMENT', `The encoder ${name} has no constant rate factor (crf).`);
        }
        const worst = Math.min(rateFactor.max, profile.worstCrf ?? Infinity);
        if (crf > worst) {
          throw new FlavrError('BAD_ARGUMENT', `The encoder ${name} has a crf from 0 to ${worst}; got ${crf}.`);
        }
      }
      const own = Object.entries(given).filter(([option]) => has(option));
      const others = Object.entries(given).filter(([option]) => !has(option));
      const settings: Record<string, string> = {
        ...profile.options,
        ...(info.alpha ? profile.alphaOptions : {}),
        ...(crf === undefined ? {} : { crf: String(crf) }),
        ...Object.fromEntries(own),
      };
      const rate = options.frameRate ? ` at ${toNumber(options.frameRate)} frames per second` : '';
      checkAv(
        av,
        await context.open2(codec, av.Dictionary.fromObject(settings)),
        'VIDEO_UNSUPPORTED',
        `The encoder ${name} does not accept ${info.width}x${info.height} ${format}${rate} with the options ${JSON.stringify(settings)}`,
      );
      const maker =
        format === 'pal8'
          ? await FramePalette.create(av, info, options.timeBase)
          : new FrameScaler(av, info, format, color, options.threads);
      return new VideoEncoder(av, context, maker, options.clock, warning ? [warning] : [], Object.fromEntries(others));
    } catch (error) {
      context.freeContext();
      throw error;
    }
  }

  /** Takes one frame; hands on every packet that is then ready. The data may be reused once it resolves. */
  async encode(
    data: Uint8Array,
    alpha: Uint8Array | undefined,
    pts: bigint,
    duration: bigint,
    emit: (packet: Packet) => Promise<void>,
  ): Promise<void> {
    this.#durations.set(pts, duration);
    const send = (frame: Frame) => {
      frame.duration = duration;
      return this.#send(frame, emit);
    };
    await this.#clock.time('convertOut', () => this.#maker.make(data, alpha, pts, send));
  }

  /** Hands on every packet that is still inside. */
  async flush(emit: (packet: Packet) => Promise<void>): Promise<void> {
    await this.#clock.time('convertOut', () => this.#maker.flush((frame) => this.#send(frame, emit)));
    await this.#send(null, emit);
  }

  close(): void {
    this.context.freeContext();
    this.#maker.free();
  }

  #send(frame: Frame | null, emit: (packet: Packet) => Promise<void>): Promise<void> {
    const write = (packet: Packet) => this.#clock.time('write', () => emit(packet));
    return this.#clock.time('encode', () => this.#encode(frame, write));
  }

  async #encode(frame: Frame | null, emit: (packet: Packet) => Promise<void>): Promise<void> {
    const av = this.#av;
    checkAv(av, await this.context.sendFrame(frame), 'VIDEO_UNWRITABLE', 'The encoder failed on a frame');
    const packet = new av.Packet();
    packet.alloc();
    try {
      for (;;) {
        const result = await this.context.receivePacket(packet);
        if (result === av.AVERROR_EAGAIN || result === av.AVERROR_EOF) return;
        checkAv(av, result, 'VIDEO_UNWRITABLE', 'The encoder failed');
        packet.duration = this.#durations.get(packet.pts) ?? packet.duration;
        this.#durations.delete(packet.pts);
        await emit(packet);
        packet.unref();
      }
    } finally {
      packet.free();
    }
  }
}

function describe(av: Av, context: CodecContext, options: EncoderOptions, format: string): void {
  const { info, timeBase, frameRate } = options;
  context.width = info.width;
  context.height = info.height;
  context.pixelFormat = av.avGetPixFmtFromName(format);
  context.timeBase = toAvRational(av, timeBase);
  if (frameRate) context.framerate = toAvRational(av, frameRate);
  context.sampleAspectRatio = toAvRational(av, info.sampleAspect);
  context.threadCount = options.threads ?? 0;
  if (options.globalHeader) context.setFlags(av.AV_CODEC_FLAG_GLOBAL_HEADER);
}

/** The pixel format to encode in, and a sentence where it is one that people may stumble over. */
function choosePixelFormat(
  av: Av,
  codec: Codec,
  info: VideoInfo,
  profile: EncoderProfile,
  chosen: string | undefined,
): { format: string; warning?: string } {
  const encoder = codec.name ?? '';
  const available = (codec.pixelFormats ?? []).map((format) => av.avGetPixFmtName(format) ?? '');
  if (chosen !== undefined) {
    if (available.length > 0 && !available.includes(chosen)) {
      throw new FlavrError(
        'BAD_ARGUMENT',
        `The encoder ${encoder} has no pixel format "${chosen}"; it has ${available.join(', ')}.`,
      );
    }
    if (!info.alpha || pixelFormatTraits(chosen).alpha) return { format: chosen };
  } else if (info.alpha && profile.alphaFormat) {
    return { format: profile.alphaFormat };
  }
  if (info.alpha) {
    throw new FlavrError(
      'VIDEO_UNSUPPORTED',
      `The source has transparency, which the encoder ${encoder} cannot keep${chosen ? ` as ${chosen}` : ''}. Write to ${ALPHA_OUTPUTS}.`,
    );
  }
  if (profile.pixelFormat) return { format: profile.pixelFormat };
  if (profile.evenSides && (info.width % 2 || info.height % 2)) {
    return {
      format: 'yuv444p',
      warning: `${info.width}x${info.height} has an odd side, which ${encoder} can only keep with full colour resolution (4:4:4); some players and browsers do not play that. WebM (VP9) has no such limit.`,
    };
  }
  // Encoders that take anything list nothing.
  return { format: available.includes('yuv420p') ? 'yuv420p' : (available[0] ?? 'yuv420p') };
}
