import type { Frame as AvFrame, SoftwareScaleContext } from 'node-av';
import { type Av, checkAv } from './av.js';
import { conversionChroma, conversionColor, MATRIX_RGB, RANGE_FULL } from './color.js';
import { pixelFormatTraits } from './pixel-format.js';
import type { AllocateFrame, VideoInfo } from './types.js';

/** The conversion of one video's decoded frames to rgb24, with alpha apart. All frames come out in the first one's size. */
export class RgbConverter {
  readonly #av: Av;
  readonly #info: VideoInfo;
  readonly #alpha: boolean;
  /** One after another; the last one's result is packed. */
  readonly #steps: readonly Step[];

  constructor(av: Av, info: VideoInfo, alpha: boolean, threads: number) {
    this.#av = av;
    this.#info = info;
    this.#alpha = alpha;
    const packed = alpha ? av.AV_PIX_FMT_RGBA : av.AV_PIX_FMT_RGB24;
    // swscale has vector code from YCbCr to planar RGB and from there to packed, and none for both at once: two steps
    // give the same bytes in less than half the time.
    const planar = !alpha && !pixelFormatTraits(info.pixelFormat).rgb;
    const formats = planar ? [av.AV_PIX_FMT_GBRP, packed] : [packed];
    this.#steps = formats.map((format) => new Step(av, info, format, threads));
  }

  /** @param allocate gives the memory of `data`. */
  async convert(frame: AvFrame, allocate: AllocateFrame): Promise<{ data: Uint8Array; alpha: Uint8Array | undefined }> {
    const { matrix, range } = conversionColor(this.#info);
    const { rgb } = pixelFormatTraits(this.#av.avGetPixFmtName(frame.format as never) ?? '');
    frame.colorSpace = (rgb ? MATRIX_RGB : matrix) as typeof frame.colorSpace;
    frame.chromaLocation = conversionChroma(this.#info.color) as typeof frame.chromaLocation;
    frame.colorRange = (rgb ? RANGE_FULL : range) as typeof frame.colorRange;
    // Lines are taken as they lie, so that the way back meets the same chroma; telling fields apart is the deinterlacer's.
    frame.clearFlags(this.#av.AV_FRAME_FLAG_INTERLACED);
    let source = frame;
    for (const step of this.#steps) {
      checkAv(this.#av, await step.run(source), 'VIDEO_UNSUPPORTED', this.#failure());
      source = step.target;
    }
    const { width, height } = this.#info;
    const packed = this.#steps.at(-1)!;
    if (!this.#alpha) return { data: packed.copyTo(allocate()), alpha: undefined };
    return splitAlpha(packed.copyTo(new Uint8Array(width * height * 4)), allocate());
  }

  #failure(): string {
    const { pixelFormat, color } = this.#info;
    return `Frames in ${pixelFormat} with colour matrix ${color.matrix} (ISO/IEC 23091-2) cannot be converted to RGB, so convert the video to BT.709 first`;
  }

  free(): void {
    for (const step of this.#steps) step.free();
  }
}

/** A conversion into a frame that every call fills anew. */
class Step {
  readonly target: AvFrame;
  readonly #av: Av;
  readonly #context: SoftwareScaleContext;
  // Asked for anew after each call, node-av would make new buffers, whose size drives the garbage collector.
  readonly #planes: Buffer[] | null;

  constructor(av: Av, { width, height }: VideoInfo, format: AvFrame['format'], threads: number) {
    this.#av = av;
    this.#context = new av.SoftwareScaleContext();
    this.#context.allocContext();
    // Full chroma and exact rounding: a flat area must come out flat, and the way back must meet the same values.
    this.#context.setOption('sws_flags', 'bicubic+full_chroma_int+full_chroma_inp+accurate_rnd');
    this.#context.setOption('sws_dither', 'none');
    this.#context.setOption('threads', threads);
    this.target = new av.Frame();
    this.target.alloc();
    Object.assign(this.target, { format, width, height });
    this.target.colorSpace = av.AVCOL_SPC_RGB;
    this.target.colorRange = av.AVCOL_RANGE_JPEG;
    checkAv(av, this.target.getBuffer(), 'VIDEO_UNREADABLE', 'A frame cannot be held');
    this.#planes = this.target.data;
  }

  run(source: AvFrame): Promise<number> {
    // Light is not touched: primaries and transfer stay the source's.
    this.target.colorPrimaries = source.colorPrimaries;
    this.target.colorTrc = source.colorTrc;
    return this.#context.scaleFrame(this.target, source);
  }

  /** Fills `bytes` with the rows, without padding. */
  copyTo(bytes: Uint8Array): Uint8Array {
    const { linesize, format, width, height } = this.target;
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#av.avImageCopyToBuffer(buffer, buffer.length, this.#planes, linesize, format as never, width, height, 1);
    return bytes;
  }

  free(): void {
    this.#context.freeContext();
    this.target.free();
  }
}

/** rgba as rgb24, put into `data`, and a plane of alpha. */
export function splitAlpha(rgba: Uint8Array, data: Uint8Array): { data: Uint8Array; alpha: Uint8Array } {
  const pixels = rgba.length / 4;
  const alpha = new Uint8Array(pixels);
  for (let pixel = 0, from = 0, to = 0; pixel < pixels; pixel++, from += 4, to += 3) {
    data[to] = rgba[from]!;
    data[to + 1] = rgba[from + 1]!;
    data[to + 2] = rgba[from + 2]!;
    alpha[pixel] = rgba[from + 3]!;
  }
  return { data, alpha };
}
