import type { Frame as AvFrame, SoftwareScaleContext } from 'node-av';
import { type Av, checkAv } from './av.js';
import { conversionChroma, conversionColor, MATRIX_RGB, RANGE_FULL } from './color.js';
import { pixelFormatTraits } from './pixel-format.js';
import type { VideoInfo } from './types.js';

/** The conversion of one video's decoded frames to rgb24, with alpha apart. All frames come out in the first one's size. */
export class RgbConverter {
  readonly #av: Av;
  readonly #info: VideoInfo;
  readonly #alpha: boolean;
  readonly #context: SoftwareScaleContext;
  readonly #target: AvFrame;

  constructor(av: Av, info: VideoInfo, alpha: boolean, threads: number) {
    this.#av = av;
    this.#info = info;
    this.#alpha = alpha;
    this.#context = new av.SoftwareScaleContext();
    this.#context.allocContext();
    // Full chroma and exact rounding: a flat area must come out flat, and the way back must meet the same values.
    this.#context.setOption('sws_flags', 'bicubic+full_chroma_int+full_chroma_inp+accurate_rnd');
    this.#context.setOption('sws_dither', 'none');
    this.#context.setOption('threads', threads);
    this.#target = new av.Frame();
    this.#target.alloc();
    this.#target.format = alpha ? av.AV_PIX_FMT_RGBA : av.AV_PIX_FMT_RGB24;
    this.#target.width = info.width;
    this.#target.height = info.height;
    this.#target.colorSpace = av.AVCOL_SPC_RGB;
    this.#target.colorRange = av.AVCOL_RANGE_JPEG;
    checkAv(av, this.#target.getBuffer(), 'VIDEO_UNREADABLE', 'A frame cannot be held');
  }

  async convert(frame: AvFrame): Promise<{ data: Uint8Array; alpha: Uint8Array | undefined }> {
    const { matrix, range } = conversionColor(this.#info);
    const { rgb } = pixelFormatTraits(this.#av.avGetPixFmtName(frame.format as never) ?? '');
    frame.colorSpace = (rgb ? MATRIX_RGB : matrix) as typeof frame.colorSpace;
    frame.chromaLocation = conversionChroma(this.#info.color) as typeof frame.chromaLocation;
    frame.colorRange = (rgb ? RANGE_FULL : range) as typeof frame.colorRange;
    // Lines are taken as they lie, so that the way back meets the same chroma; telling fields apart is the deinterlacer's.
    frame.clearFlags(this.#av.AV_FRAME_FLAG_INTERLACED);
    // Light is not touched: primaries and transfer stay the source's.
    this.#target.colorPrimaries = frame.colorPrimaries;
    this.#target.colorTrc = frame.colorTrc;
    checkAv(this.#av, await this.#context.scaleFrame(this.#target, frame), 'VIDEO_UNSUPPORTED', this.#failure());
    return this.#alpha ? splitAlpha(this.#pixels(4)) : { data: this.#pixels(3), alpha: undefined };
  }

  #failure(): string {
    const { pixelFormat, color } = this.#info;
    return `Frames in ${pixelFormat} with colour matrix ${color.matrix} cannot be converted to RGB`;
  }

  #pixels(channels: number): Uint8Array {
    const { data, linesize, format, width, height } = this.#target;
    // Every byte is written below, and a frame has an ArrayBuffer of its own.
    const buffer = Buffer.allocUnsafeSlow(width * height * channels);
    this.#av.avImageCopyToBuffer(buffer, buffer.length, data, linesize, format as never, width, height, 1);
    return new Uint8Array(buffer.buffer);
  }

  free(): void {
    this.#context.freeContext();
    this.#target.free();
  }
}

/** rgba as rgb24 and a plane of alpha. */
export function splitAlpha(rgba: Uint8Array): { data: Uint8Array; alpha: Uint8Array } {
  const pixels = rgba.length / 4;
  const data = new Uint8Array(pixels * 3);
  const alpha = new Uint8Array(pixels);
  for (let pixel = 0, from = 0, to = 0; pixel < pixels; pixel++, from += 4, to += 3) {
    data[to] = rgba[from]!;
    data[to + 1] = rgba[from + 1]!;
    data[to + 2] = rgba[from + 2]!;
    alpha[pixel] = rgba[from + 3]!;
  }
  return { data, alpha };
}
