import type { CodecContext, Frame, Packet, SoftwareScaleContext } from 'node-av';
import { FlavrError } from '../errors.js';
import type { Rational } from '../rational.js';
import { type Av, checkAv } from './av.js';
import { conversionColor, MATRIX_RGB, RANGE_FULL, RANGE_LIMITED, UNSPECIFIED } from './color.js';
import { ALPHA_OUTPUTS, ENCODERS, type EncoderProfile } from './containers.js';
import type { ColorInfo, VideoInfo } from './types.js';

export interface EncoderOptions {
  readonly info: VideoInfo;
  readonly codec: string;
  readonly crf: number | undefined;
  /** Passed to FFmpeg as they are; `pix_fmt` chooses the pixel format. */
  readonly options: Readonly<Record<string, string>>;
  readonly threads: number | undefined;
  readonly frameRate: Rational | undefined;
  /** One tick of the times given to `encode`, in seconds. */
  readonly timeBase: Rational;
  /** The container wants the codec's headers apart from the stream. */
  readonly globalHeader: boolean;
}

/** Packed RGB to an encoder's packets, off the JavaScript thread, with exact times and durations. */
export class VideoEncoder {
  readonly context: CodecContext;
  /** Sentences for people about choices that they may not expect. */
  readonly warnings: readonly string[];
  readonly #av: Av;
  readonly #info: VideoInfo;
  readonly #scaler: SoftwareScaleContext;
  readonly #color: CodedColor;
  // Not every encoder hands durations through; those of frames that are inside it wait here, by presentation time.
  readonly #durations = new Map<bigint, bigint>();
  readonly #rgba: Uint8Array | undefined;

  private constructor(av: Av, context: CodecContext, info: VideoInfo, color: CodedColor, warnings: readonly string[]) {
    this.#av = av;
    this.context = context;
    this.warnings = warnings;
    this.#info = info;
    this.#color = color;
    this.#rgba = info.alpha ? new Uint8Array(info.width * info.height * 4) : undefined;
    this.#scaler = new av.SoftwareScaleContext();
    this.#scaler.allocContext();
    // Exact rounding: a flat grey must come out as one value.
    this.#scaler.setOption('sws_flags', 'bicubic+accurate_rnd+full_chroma_int');
  }

  /**
   * @throws FlavrError `VIDEO_UNSUPPORTED` for an unknown encoder, or one without alpha where frames have it;
   * `BAD_ARGUMENT` for options it does not have.
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
    const profile: EncoderProfile = Object.hasOwn(ENCODERS, name) ? ENCODERS[name]! : {};
    const { pix_fmt: chosenFormat, ...given } = options.options;
    const available = (codec.pixelFormats ?? []).map((format) => av.avGetPixFmtName(format) ?? '');
    const { format, warning } = choosePixelFormat(name, info, profile, available, chosenFormat);

    const context = new av.CodecContext();
    try {
      context.allocContext3(codec);
      context.width = info.width;
      context.height = info.height;
      context.pixelFormat = av.avGetPixFmtFromName(format);
      context.timeBase = new av.Rational(Number(options.timeBase.num), Number(options.timeBase.den));
      if (options.frameRate)
        context.framerate = new av.Rational(Number(options.frameRate.num), Number(options.frameRate.den));
      context.sampleAspectRatio = new av.Rational(Number(info.sampleAspect.num), Number(info.sampleAspect.den));
      const color = codedColor(info, format);
      setColor(context, color.tags);
      context.threadCount = options.threads ?? 0;
      if (options.globalHeader) context.setFlags(av.AV_CODEC_FLAG_GLOBAL_HEADER);

      const crf = options.crf ?? profile.crf;
      const settings: Record<string, string> = {
        ...profile.options,
        ...(info.alpha ? profile.alphaOptions : {}),
        ...(crf === undefined ? {} : { crf: String(crf) }),
        ...given,
      };
      for (const option of Object.keys(settings)) {
        const found = av.Option.find(context.getNative(), option, av.AV_OPT_SEARCH_CHILDREN);
        if (!found || found.type === av.AV_OPT_TYPE_CONST) {
          throw new FlavrError('BAD_ARGUMENT', `The encoder ${name} has no option "${option}".`);
        }
      }
      checkAv(
        av,
        await context.open2(codec, av.Dictionary.fromObject(settings)),
        'VIDEO_UNSUPPORTED',
        `The encoder ${name} does not accept ${info.width}x${info.height} ${format} with the options ${JSON.stringify(settings)}`,
      );
      return new VideoEncoder(av, context, info, color, warning ? [warning] : []);
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
    const frame = await this.#convert(data, alpha);
    try {
      frame.pts = pts;
      frame.duration = duration;
      this.#durations.set(pts, duration);
      await this.#send(frame, emit);
    } finally {
      frame.free();
    }
  }

  /** Hands on every packet that is still inside. */
  async flush(emit: (packet: Packet) => Promise<void>): Promise<void> {
    await this.#send(null, emit);
  }

  close(): void {
    this.context.freeContext();
    this.#scaler.freeContext();
  }

  async #convert(data: Uint8Array, alpha: Uint8Array | undefined): Promise<Frame> {
    const { width, height } = this.#info;
    const av = this.#av;
    const pixels = this.#rgba ? withAlpha(data, alpha, this.#rgba) : data;
    const source = av.Frame.fromVideoBuffer(Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength), {
      width,
      height,
      format: this.#rgba ? av.AV_PIX_FMT_RGBA : av.AV_PIX_FMT_RGB24,
    });
    const frame = new av.Frame();
    try {
      frame.alloc();
      frame.width = width;
      frame.height = height;
      frame.format = this.context.pixelFormat;
      // Same primaries and transfer on both sides: only the matrix and the range are converted.
      const { tags, matrix, range } = this.#color;
      setColor(source, { ...tags, matrix: MATRIX_RGB, range: RANGE_FULL });
      setColor(frame, { ...tags, matrix, range });
      checkAv(av, await this.#scaler.scaleFrame(frame, source), 'VIDEO_UNSUPPORTED', 'A frame could not be converted');
      setColor(frame, tags);
      return frame;
    } catch (error) {
      frame.free();
      throw error;
    } finally {
      source.free();
    }
  }

  async #send(frame: Frame | null, emit: (packet: Packet) => Promise<void>): Promise<void> {
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

interface CodedColor {
  /** What RGB is converted with. */
  readonly matrix: number;
  readonly range: number;
  /** What the file states. */
  readonly tags: ColorInfo;
}

// RGB sources (GIF, images) have no matrix to keep: theirs is chosen by size, as for video, and stated.
function codedColor(info: VideoInfo, format: string): CodedColor {
  if (isRgb(format)) {
    return { matrix: MATRIX_RGB, range: RANGE_FULL, tags: { ...info.color, matrix: MATRIX_RGB, range: RANGE_FULL } };
  }
  const rgbSource = info.color.matrix === MATRIX_RGB;
  const color = rgbSource ? { ...info.color, matrix: UNSPECIFIED, range: RANGE_LIMITED } : info.color;
  const { matrix, range } = conversionColor({ ...info, color });
  if (format.startsWith('yuvj')) return { matrix, range: RANGE_FULL, tags: { ...color, matrix, range: RANGE_FULL } };
  return { matrix, range, tags: rgbSource ? { ...color, matrix } : color };
}

// FFmpeg's numbers are branded types in node-av, which plain numbers do not fit.
function setColor(target: CodecContext | Frame, { primaries, transfer, matrix, range }: ColorInfo): void {
  Object.assign(target, { colorPrimaries: primaries, colorTrc: transfer, colorSpace: matrix, colorRange: range });
}

const isRgb = (format: string): boolean => /^(rgb|bgr|argb|abgr|gbr|pal8)/.test(format);

/** The pixel format to encode in, and a sentence where it is one that people may stumble over. */
function choosePixelFormat(
  encoder: string,
  info: VideoInfo,
  profile: EncoderProfile,
  available: readonly string[],
  chosen: string | undefined,
): { format: string; warning?: string } {
  if (chosen !== undefined) {
    if (available.length > 0 && !available.includes(chosen)) {
      throw new FlavrError(
        'BAD_ARGUMENT',
        `The encoder ${encoder} has no pixel format "${chosen}"; it has ${available.join(', ')}.`,
      );
    }
    return { format: chosen };
  }
  if (info.alpha) {
    if (profile.alphaFormat) return { format: profile.alphaFormat };
    throw new FlavrError(
      'VIDEO_UNSUPPORTED',
      `The source has transparency, which the encoder ${encoder} cannot keep. Write to ${ALPHA_OUTPUTS}.`,
    );
  }
  if (profile.pixelFormat) return { format: profile.pixelFormat };
  if (profile.evenSides && (info.width % 2 || info.height % 2)) {
    return {
      format: 'yuv444p',
      warning: `${info.width}x${info.height} has an odd side, which ${encoder} can only keep with full colour resolution (4:4:4); some players and browsers do not play that. WebM (VP9) has no such limit.`,
    };
  }
  return { format: available.includes('yuv420p') ? 'yuv420p' : available[0]! };
}

function withAlpha(rgb: Uint8Array, alpha: Uint8Array | undefined, rgba: Uint8Array): Uint8Array {
  for (let pixel = 0, from = 0, to = 0; to < rgba.length; pixel += 1, from += 3, to += 4) {
    rgba[to] = rgb[from]!;
    rgba[to + 1] = rgb[from + 1]!;
    rgba[to + 2] = rgb[from + 2]!;
    rgba[to + 3] = alpha ? alpha[pixel]! : 255;
  }
  return rgba;
}
