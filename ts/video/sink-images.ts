import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Sharp } from 'sharp';
import { FlavrError, throwIfAborted } from '../errors.js';
import { importPeer } from '../peers.js';
import { unwritable } from './output-file.js';
import { OutputFolder } from './output-folder.js';
import { createStop, SerialSink, type Stop, type WrittenFrame } from './serial-sink.js';
import { StageClock, type WriteClock } from './stage-clock.js';
import type { SinkOptions, VideoInfo, VideoSink } from './types.js';

type SharpModule = Awaited<ReturnType<typeof importPeer<'sharp'>>>['default'];

interface ImageFormat {
  readonly extension: string;
  readonly alpha: boolean;
  encode(image: Sharp, quality: number | undefined): Sharp;
}

const PNG: ImageFormat = { extension: 'png', alpha: true, encode: (image) => image.png() };
const JPEG: ImageFormat = {
  extension: 'jpg',
  alpha: false,
  // Full colour resolution, and a quality near which no loss is seen.
  encode: (image, quality = 95) => image.jpeg({ quality, chromaSubsampling: '4:4:4' }),
};
const FORMATS: Readonly<Record<string, ImageFormat>> = { png: PNG, jpeg: JPEG, jpg: JPEG, mjpeg: JPEG };

/**
 * A folder of numbered images, 000001.png onwards (or .jpg, by `codec: 'jpeg'`, with the encoder option `quality`). Times
 * are not kept.
 */
export async function openImagesSink(path: string, options: SinkOptions): Promise<VideoSink> {
  const { codec = 'png', crf, info } = options;
  const format = Object.hasOwn(FORMATS, codec) ? FORMATS[codec] : undefined;
  if (!format) {
    throw new FlavrError('VIDEO_UNSUPPORTED', `A folder of images is written as png or jpeg; got "${codec}".`);
  }
  if (info.alpha && !format.alpha) {
    throw new FlavrError(
      'VIDEO_UNSUPPORTED',
      'The source has transparency, which JPEG cannot keep. Write PNG images, the default.',
    );
  }
  const { quality, ...unknown } = options.encoderOptions;
  const stranger = Object.keys(unknown)[0] ?? (crf === undefined ? undefined : 'crf');
  if (stranger !== undefined) throw new FlavrError('BAD_ARGUMENT', `Images have no encoder option "${stranger}".`);
  if (quality !== undefined && !/^([1-9]\d?|100)$/.test(quality)) {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `The quality of JPEG images is a whole number from 1 to 100; got "${quality}".`,
    );
  }
  const { default: sharp } = await importPeer('sharp');
  const stop = createStop(options.signal);
  throwIfAborted(stop.signal);
  const folder = await OutputFolder.create(path, options.overwrite, (name) => /^\d{6,}\.(png|jpg)$/.test(name));
  return new ImagesSink(sharp, folder, format, quality === undefined ? undefined : Number(quality), options, stop);
}

class ImagesSink extends SerialSink {
  readonly warnings: readonly string[];
  readonly #sharp: SharpModule;
  readonly #folder: OutputFolder;
  readonly #format: ImageFormat;
  readonly #quality: number | undefined;
  readonly #clock: WriteClock;
  #count = 0;

  constructor(
    sharp: SharpModule,
    folder: OutputFolder,
    format: ImageFormat,
    quality: number | undefined,
    options: SinkOptions,
    stop: Stop,
  ) {
    super(folder.path, options.info, stop);
    this.warnings = aspectWarnings(options.info);
    this.#sharp = sharp;
    this.#folder = folder;
    this.#format = format;
    this.#quality = quality;
    this.#clock = options.clock ?? new StageClock();
  }

  protected async take({ data, alpha }: WrittenFrame): Promise<boolean> {
    const { width, height } = this.info;
    let image = this.#sharp(data, { raw: { width, height, channels: 3 } });
    if (alpha) image = image.joinChannel(Buffer.from(alpha), { raw: { width, height, channels: 1 } });
    this.#count += 1;
    const name = `${String(this.#count).padStart(6, '0')}.${this.#format.extension}`;
    const encoded = await this.#clock.time('encode', () => this.#format.encode(image, this.#quality).toBuffer());
    try {
      await this.#clock.time('write', () => writeFile(join(this.#folder.temporary, name), encoded));
      return true;
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  protected complete(): Promise<void> {
    return this.#folder.commit();
  }

  protected discard(): Promise<void> {
    return this.#folder.discard();
  }
}

function aspectWarnings({ sampleAspect: { num, den } }: VideoInfo): string[] {
  if (num === den) return [];
  return [
    `The source's pixels are not square (${num}:${den}), which images cannot say: they look squeezed or stretched.`,
  ];
}
