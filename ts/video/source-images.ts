import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { asFlavrError, FlavrError, throwIfAborted } from '../errors.js';
import { naturalOrder, numberingGap } from '../natural-order.js';
import { importPeer } from '../peers.js';
import { divide, type Rational, rational } from '../rational.js';
import { MATRIX_RGB, RANGE_FULL, UNSPECIFIED } from './color.js';
import {
  fitsLimits,
  MAX_PIXELS,
  ownMemory,
  type Position,
  type RawFrame,
  type RawVideo,
  type RawVideoOptions,
} from './raw-video.js';
import { splitAlpha } from './to-rgb.js';
import type { AllocateFrame, VideoInfo } from './types.js';

const IMAGE = /\.(?:png|jpe?g|webp|tiff?|avif|gif)$/i;
/** Frames per second of a folder of images, unless the caller gives a rate. */
export const IMAGE_RATE = rational(24);

type Sharp = Awaited<ReturnType<typeof importPeer<'sharp'>>>['default'];

/** A folder of images as a video: in natural order of their names (2 before 10), one image a frame. */
export class ImageFolder implements RawVideo {
  readonly info: VideoInfo;
  readonly origin = undefined;
  allocate: AllocateFrame;
  readonly #sharp: Sharp;
  readonly #files: readonly string[];
  readonly #options: RawVideoOptions;
  #closed = false;

  private constructor(sharp: Sharp, files: readonly string[], info: VideoInfo, options: RawVideoOptions) {
    this.#sharp = sharp;
    this.#files = files;
    this.info = info;
    this.allocate = ownMemory(info);
    this.#options = options;
  }

  /**
   * Lists a folder's images and checks all their headers. Files of other types are left aside.
   * @throws FlavrError `VIDEO_UNREADABLE` (no or broken images), `VIDEO_UNSUPPORTED` (sizes differ or are absurd),
   * `PEER_MISSING`, `ABORTED`
   */
  static async open(folder: string, options: RawVideoOptions): Promise<ImageFolder> {
    const { default: sharp } = await importPeer('sharp');
    const listed = await readdir(folder).catch((error: unknown) => {
      throw asFlavrError(error, 'VIDEO_UNREADABLE', `${folder} cannot be listed`);
    });
    const names = listed.filter((name) => IMAGE.test(name) && !name.startsWith('.'));
    names.sort(naturalOrder);
    if (names.length === 0) {
      throw new FlavrError(
        'VIDEO_UNREADABLE',
        `${folder} holds no images (png, jpg, webp, tiff, avif or gif); give a video file or a folder of images.`,
      );
    }
    const files = names.map((name) => join(folder, name));
    let first: ImageHeader | undefined;
    let alpha = false;
    let bitDepth = 8;
    for (const file of files) {
      throwIfAborted(options.signal);
      const header = await readHeader(sharp, file);
      first ??= header;
      if (header.width !== first.width || header.height !== first.height) {
        throw new FlavrError(
          'VIDEO_UNSUPPORTED',
          `All images must have one size: ${files[0]} has ${first.width}x${first.height}, ${file} has ${header.width}x${header.height}.`,
        );
      }
      alpha ||= header.alpha;
      bitDepth = Math.max(bitDepth, header.bitDepth);
    }
    const gap = numberingGap(names);
    if (gap) {
      options.warn(
        `The numbers of the images in ${folder} skip from ${gap.join(' to ')}; the two are taken as neighbours.`,
      );
    }
    if (bitDepth > 8) options.warn(`${folder} has images of ${bitDepth} bits per channel; they are reduced to 8.`);
    const info: VideoInfo = {
      kind: 'images',
      width: first!.width,
      height: first!.height,
      frameRate: IMAGE_RATE,
      timeBase: divide(rational(1), IMAGE_RATE),
      duration: divide(rational(files.length), IMAGE_RATE),
      frameCount: files.length,
      pixelFormat: alpha ? 'rgba' : 'rgb24',
      bitDepth,
      alpha,
      interlaced: false,
      rotation: 0,
      sampleAspect: rational(1),
      color: { primaries: UNSPECIFIED, transfer: UNSPECIFIED, matrix: MATRIX_RGB, range: RANGE_FULL },
      codec: first!.format,
    };
    return new ImageFolder(sharp, files, info, options);
  }

  get nominalDuration(): Rational {
    return divide(rational(1), IMAGE_RATE);
  }

  async *frames(from: Position): AsyncGenerator<RawFrame, void, undefined> {
    const alpha = this.#options.alpha && this.info.alpha;
    for (const file of this.#files.slice('skip' in from ? from.skip : 0)) {
      throwIfAborted(this.#options.signal);
      if (this.#closed) throw new FlavrError('DISPOSED', `${file} was closed while it was being read.`);
      const pixels = await this.#options.clock.time('decode', () => this.#decode(file, alpha));
      yield {
        ...(alpha ? splitAlpha(pixels, this.allocate()) : { data: this.#place(pixels), alpha: undefined }),
        time: undefined,
        duration: undefined,
      };
    }
  }

  #place(pixels: Uint8Array): Uint8Array {
    const frame = this.allocate();
    frame.set(pixels);
    return frame;
  }

  async #decode(file: string, alpha: boolean): Promise<Uint8Array> {
    try {
      const image = openImage(this.#sharp, file).autoOrient().toColourspace('srgb');
      const { data, info } = await (alpha ? image.ensureAlpha() : image.removeAlpha())
        .raw({ depth: 'uchar' })
        .toBuffer({ resolveWithObject: true });
      const { width, height } = this.info;
      if (info.width !== width || info.height !== height || info.channels !== (alpha ? 4 : 3)) {
        throw new FlavrError('VIDEO_UNREADABLE', `${file} changed while it was being read.`);
      }
      return data;
    } catch (error) {
      throw asFlavrError(error, 'VIDEO_UNREADABLE', `${file} cannot be decoded`);
    }
  }

  async close(): Promise<void> {
    this.#closed = true;
  }
}

interface ImageHeader {
  readonly width: number;
  readonly height: number;
  readonly alpha: boolean;
  readonly bitDepth: number;
  readonly format: string;
}

const openImage = (sharp: Sharp, file: string) => sharp(file, { limitInputPixels: MAX_PIXELS, failOn: 'error' });

async function readHeader(sharp: Sharp, file: string): Promise<ImageHeader> {
  try {
    const { autoOrient, hasAlpha, depth, format } = await openImage(sharp, file).metadata();
    const { width, height } = autoOrient;
    if (!fitsLimits(width, height)) {
      throw new FlavrError(
        'VIDEO_UNSUPPORTED',
        `${file} has ${width}x${height} pixels, which is more than can be read.`,
      );
    }
    return { width, height, alpha: hasAlpha, bitDepth: depth === 'uchar' ? 8 : depth === 'ushort' ? 16 : 32, format };
  } catch (error) {
    throw asFlavrError(error, 'VIDEO_UNREADABLE', `${file} cannot be read as an image`);
  }
}
