import type { CodecContext, Frame, SoftwareScaleContext } from 'node-av';
import { type Av, checkAv } from './av.js';
import {
  conversionChroma,
  conversionColor,
  MATRIX_BT601,
  MATRIX_RGB,
  RANGE_FULL,
  RANGE_LIMITED,
  RANGE_UNSPECIFIED,
  UNSPECIFIED,
} from './color.js';
import type { EncoderProfile } from './containers.js';
import { pixelFormatTraits } from './pixel-format.js';
import type { ColorInfo, VideoInfo } from './types.js';

type EmitFrame = (frame: Frame) => Promise<void>;

/** Makes an encoder's frames of packed pixels. What is handed to `emit` is used before that resolves. */
export interface FrameMaker {
  make(data: Uint8Array, alpha: Uint8Array | undefined, pts: bigint, emit: EmitFrame): Promise<void>;
  /** Hands on every frame that is still inside. */
  flush(emit: EmitFrame): Promise<void>;
  free(): void;
}

/** Packed pixels as FFmpeg's frames: rgb24, or rgba for sources with alpha. node-av always copies them. */
export class PackedFrames {
  readonly #av: Av;
  readonly #info: VideoInfo;
  readonly #rgba: Uint8Array | undefined;

  constructor(av: Av, info: VideoInfo) {
    this.#av = av;
    this.#info = info;
    this.#rgba = info.alpha ? new Uint8Array(info.width * info.height * 4) : undefined;
  }

  /** An empty frame with memory. To be freed by the caller. */
  allocate(): Frame {
    const frame = new this.#av.Frame();
    frame.alloc();
    frame.width = this.#info.width;
    frame.height = this.#info.height;
    frame.format = this.#rgba ? this.#av.AV_PIX_FMT_RGBA : this.#av.AV_PIX_FMT_RGB24;
    checkAv(this.#av, frame.getBuffer(), 'VIDEO_UNWRITABLE', 'A frame cannot be held');
    return frame;
  }

  fill(frame: Frame, data: Uint8Array, alpha: Uint8Array | undefined): void {
    const pixels = this.#rgba ? withAlpha(data, alpha, this.#rgba) : data;
    const buffer = Buffer.from(pixels.buffer, pixels.byteOffset, pixels.byteLength);
    checkAv(this.#av, frame.fromBuffer(buffer), 'VIDEO_UNWRITABLE', 'A frame cannot be filled');
  }
}

/** Conversion to an encoder's pixel format by matrix and range. */
export class FrameScaler implements FrameMaker {
  readonly #av: Av;
  readonly #info: VideoInfo;
  readonly #format: Frame['format'];
  readonly #color: CodedColor;
  readonly #packed: PackedFrames;
  /** Filled anew for each frame: memory that comes and goes would drive the garbage collector. */
  readonly #source: Frame;
  readonly #context: SoftwareScaleContext;

  /** @param format FFmpeg's name of the encoder's pixel format. */
  constructor(av: Av, info: VideoInfo, format: string, color: CodedColor, threads: number | undefined) {
    this.#av = av;
    this.#info = info;
    this.#format = av.avGetPixFmtFromName(format);
    this.#color = color;
    this.#packed = new PackedFrames(av, info);
    this.#source = this.#packed.allocate();
    this.#context = new av.SoftwareScaleContext();
    this.#context.allocContext();
    // Exact rounding and no dither: a flat grey must come out as one value.
    this.#context.setOption('sws_flags', 'bicubic+full_chroma_int+full_chroma_inp+accurate_rnd');
    this.#context.setOption('sws_dither', 'none');
    this.#context.setOption('threads', threads ?? 1);
  }

  async make(data: Uint8Array, alpha: Uint8Array | undefined, pts: bigint, emit: EmitFrame): Promise<void> {
    const av = this.#av;
    const source = this.#source;
    this.#packed.fill(source, data, alpha);
    const frame = new av.Frame();
    frame.alloc();
    try {
      frame.width = this.#info.width;
      frame.height = this.#info.height;
      frame.format = this.#format;
      // Same primaries and transfer on both sides: only the matrix and the range are converted.
      const { tags, matrix, range } = this.#color;
      setColor(source, { ...tags, matrix: MATRIX_RGB, range: RANGE_FULL });
      setColor(frame, { ...tags, matrix, range, chromaLocation: conversionChroma(this.#info.color) });
      checkAv(av, await this.#context.scaleFrame(frame, source), 'VIDEO_UNSUPPORTED', 'A frame cannot be converted');
      setColor(frame, tags);
      frame.pts = pts;
      await emit(frame);
    } finally {
      frame.free();
    }
  }

  async flush(): Promise<void> {}

  free(): void {
    this.#context.freeContext();
    this.#source.free();
  }
}

/** How RGB becomes a file's pixels. */
export interface CodedColor {
  /** What RGB is converted with. */
  readonly matrix: number;
  readonly range: number;
  /** What the file states. */
  readonly tags: ColorInfo;
}

/**
 * The source's own matrix and range, so that pixels keep their values; where it has none (RGB: GIF, images), the matrix
 * that players assume for the size, and stated.
 * @param format FFmpeg's name of the encoder's pixel format.
 * @param codedMatrix what the codec can state at all.
 */
export function codedColor(info: VideoInfo, format: string, codedMatrix: EncoderProfile['matrix']): CodedColor {
  const { color: source } = info;
  if (pixelFormatTraits(format).rgb) {
    return { matrix: MATRIX_RGB, range: RANGE_FULL, tags: { ...source, matrix: MATRIX_RGB, range: RANGE_FULL } };
  }
  const fromRgb = source.matrix === MATRIX_RGB;
  const color = fromRgb ? { ...source, matrix: UNSPECIFIED, range: RANGE_LIMITED } : { ...source };
  if (codedMatrix === 'none') {
    const tags = { primaries: UNSPECIFIED, transfer: UNSPECIFIED, matrix: UNSPECIFIED, range: RANGE_UNSPECIFIED };
    return { ...conversionColor({ ...info, color: tags }), tags };
  }
  if (codedMatrix === 'bt601') color.matrix = MATRIX_BT601;
  if (format.startsWith('yuvj')) color.range = RANGE_FULL;
  const { matrix, range } = conversionColor({ ...info, color });
  return { matrix, range, tags: fromRgb ? { ...color, matrix } : color };
}

// FFmpeg's numbers are branded types in node-av, which plain numbers do not fit.
export function setColor(target: CodecContext | Frame, color: ColorInfo): void {
  const { primaries, transfer, matrix, range, chromaLocation = 0 } = color;
  Object.assign(target, { colorPrimaries: primaries, colorTrc: transfer, colorSpace: matrix, colorRange: range });
  Object.assign(target, { chromaLocation });
}

function withAlpha(rgb: Uint8Array, alpha: Uint8Array | undefined, rgba: Uint8Array): Uint8Array {
  // A pixel in one write is several times faster than in four; all machines that Node runs on store its low byte first.
  const pixels = new Uint32Array(rgba.buffer);
  for (let pixel = 0, at = 0; pixel < pixels.length; pixel += 1, at += 3) {
    pixels[pixel] = rgb[at]! | (rgb[at + 1]! << 8) | (rgb[at + 2]! << 16) | ((alpha ? alpha[pixel]! : 255) << 24);
  }
  return rgba;
}
