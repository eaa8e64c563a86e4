import { divide, rational } from '../rational.js';
import type { VideoInfo, VideoSink } from './types.js';

/** How stored pixels are turned to be shown: where the picture's right (x) and down (y) steps lead, as in a display matrix. */
export interface Orientation {
  readonly right: readonly [x: number, y: number];
  readonly down: readonly [x: number, y: number];
}

/** What `info` says of turning and mirroring; undefined for an angle that is no quarter turn. */
export function orientationOf({
  rotation,
  mirrored,
}: Pick<VideoInfo, 'rotation' | 'mirrored'>): Orientation | undefined {
  const quarters = rotation / 90;
  if (!Number.isInteger(quarters)) return undefined;
  const cos = [1, 0, -1, 0].at(quarters % 4)!;
  const sin = [0, 1, 0, -1].at(quarters % 4)!;
  const sign = mirrored ? -1 : 1;
  return { right: [sign * cos, sign * sin], down: [-sin, cos] };
}

/** The same video once its pixels lie as they are shown. */
export function uprightInfo(info: VideoInfo): VideoInfo {
  const upright = { ...info, rotation: 0, mirrored: false };
  if ((info.rotation / 90) % 2 === 0) return upright;
  const { width, height, sampleAspect } = info;
  return { ...upright, width: height, height: width, sampleAspect: divide(rational(1), sampleAspect) };
}

/** Packed pixels of `channels` bytes, turned. */
export function turnPixels(
  pixels: Uint8Array,
  width: number,
  height: number,
  channels: number,
  { right, down }: Orientation,
): Uint8Array {
  const row = right[0] === 0 ? height : width;
  const stepRight = channels * (right[0] + right[1] * row);
  const stepDown = channels * (down[0] + down[1] * row);
  // The first pixel lands so that whatever leads left or up ends at 0.
  let line = -Math.min(0, stepRight) * (width - 1) - Math.min(0, stepDown) * (height - 1);
  const turned = new Uint8Array(pixels.length);
  for (let y = 0, from = 0; y < height; y++, line += stepDown) {
    for (let x = 0, to = line; x < width; x++, to += stepRight) {
      for (let c = 0; c < channels; c++) turned[to + c] = pixels[from++]!;
    }
  }
  return turned;
}

/** A sink of upright frames for frames that are not: for outputs that cannot say how to turn them. */
export class UprightSink implements VideoSink {
  readonly #sink: VideoSink;
  readonly #stored: Pick<VideoInfo, 'width' | 'height'>;
  readonly #orientation: Orientation;

  /** @param stored size of the frames that come. */
  constructor(sink: VideoSink, stored: Pick<VideoInfo, 'width' | 'height'>, orientation: Orientation) {
    this.#sink = sink;
    this.#stored = stored;
    this.#orientation = orientation;
  }

  get path(): string {
    return this.#sink.path;
  }

  get info(): VideoInfo {
    return this.#sink.info;
  }

  get warnings(): readonly string[] {
    return this.#sink.warnings;
  }

  async write(frame: Parameters<VideoSink['write']>[0]): Promise<boolean> {
    const { width, height } = this.#stored;
    const turn = (pixels: Uint8Array, channels: number) =>
      turnPixels(pixels, width, height, channels, this.#orientation);
    return this.#sink.write({ ...frame, data: turn(frame.data, 3), alpha: frame.alpha && turn(frame.alpha, 1) });
  }

  finish(): Promise<void> {
    return this.#sink.finish();
  }

  abort(): Promise<void> {
    return this.#sink.abort();
  }
}
