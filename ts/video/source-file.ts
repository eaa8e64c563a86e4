import { availableParallelism } from 'node:os';
import type { Frame as AvFrame, CodecContext, Packet } from 'node-av';
import { FlavrError, throwIfAborted } from '../errors.js';
import { add, compare, divide, multiply, type Rational, rational, subtract, toNumber } from '../rational.js';
import { type Av, checkAv, fromAvRational, loadAv } from './av.js';
import { type OpenedFile, openFile, readPacket } from './demuxer.js';
import { describeVideo, statedDuration } from './describe.js';
import { Filters } from './filters.js';
import {
  fitsLimits,
  MAX_PIXELS,
  ownMemory,
  type Position,
  type RawFrame,
  type RawVideo,
  type RawVideoOptions,
} from './raw-video.js';
import { RgbConverter } from './to-rgb.js';
import type { AllocateFrame, VideoInfo } from './types.js';

// Each further decoding thread holds frames; decoding is far faster than any model.
const MAX_THREADS = 4;
const DEFAULT_RATE = rational(25);

/** A video file, read through FFmpeg. */
export class FileVideo implements RawVideo {
  allocate!: AllocateFrame;
  readonly #av: Av;
  readonly #path: string;
  readonly #file: OpenedFile;
  readonly #options: RawVideoOptions;
  readonly #codec: CodecContext;
  readonly #packet: Packet;
  readonly #frame: AvFrame;
  readonly #threads = Math.min(availableParallelism(), MAX_THREADS);
  #info!: VideoInfo;
  #converter: RgbConverter | undefined;
  #deinterlacer: Filters | undefined;
  /** Whether the deinterlacer has been told of the end. */
  #flushed = false;
  #origin: Rational | undefined;
  /** Whether `#frame` holds a decoded frame that has not been delivered. */
  #held = false;
  #draining = false;
  #damaged = 0;
  /** The call into FFmpeg that is under way; nothing may be freed before it ends. */
  #running: Promise<unknown> = Promise.resolve();
  #closing: Promise<void> | undefined;

  private constructor(av: Av, path: string, file: OpenedFile, options: RawVideoOptions) {
    this.#av = av;
    this.#path = path;
    this.#file = file;
    this.#options = options;
    this.#codec = new av.CodecContext();
    this.#codec.allocContext3(file.decoder);
    this.#packet = new av.Packet();
    this.#packet.alloc();
    this.#frame = new av.Frame();
    this.#frame.alloc();
  }

  /**
   * Opens a file and decodes its first frame, which alone tells for sure what the video is.
   * @throws FlavrError `VIDEO_UNREADABLE`, `VIDEO_UNSUPPORTED`, `PEER_MISSING`, `ABORTED`
   */
  static async open(path: string, options: RawVideoOptions): Promise<FileVideo> {
    const av = await loadAv();
    throwIfAborted(options.signal);
    const video = new FileVideo(av, path, await openFile(av, path), options);
    try {
      await video.#start();
      return video;
    } catch (error) {
      await video.close();
      throw error;
    }
  }

  get info(): VideoInfo {
    return this.#info;
  }

  get origin(): Rational | undefined {
    return this.#origin;
  }

  get nominalDuration(): Rational {
    return divide(rational(1), this.#info.frameRate ?? DEFAULT_RATE);
  }

  async #start(): Promise<void> {
    const { stream, decoder } = this.#file;
    const av = this.#av;
    checkAv(av, this.#codec.parametersToContext(stream.codecpar), 'VIDEO_UNREADABLE', `${this.#path} cannot be read`);
    this.#codec.pktTimebase = stream.timeBase;
    this.#codec.threadCount = this.#threads;
    const options = av.Dictionary.fromObject({ max_pixels: MAX_PIXELS });
    const opened = await this.#call(() => this.#codec.open2(decoder, options));
    checkAv(av, opened, 'VIDEO_UNSUPPORTED', `${this.#path}: its decoder cannot be opened`);
    if (!(await this.#decode())) {
      throw new FlavrError(
        'VIDEO_UNREADABLE',
        `No frame of ${this.#path} can be decoded; the file is damaged or was cut off.`,
      );
    }
    const { width, height } = this.#frame;
    if (!fitsLimits(width, height)) {
      throw new FlavrError('VIDEO_UNSUPPORTED', `${this.#path} has ${width}x${height} pixels, more than can be read.`);
    }
    this.#held = true;
    this.#origin = this.#frameTime();
    this.#info = describeVideo(av, this.#path, this.#file, this.#frame, this.#origin, this.#options);
    this.allocate = ownMemory(this.#info);
    this.#converter = new RgbConverter(av, this.#info, this.#options.alpha && this.#info.alpha, this.#threads);
  }

  async *frames(from: Position): AsyncGenerator<RawFrame, void, undefined> {
    let skip = 'skip' in from ? from.skip : 0;
    let begun = !('time' in from);
    let end: Rational | undefined;
    if ('time' in from) await this.#seek(from.time);
    const { clock } = this.#options;
    while (await clock.time('decode', () => this.#next())) {
      const time = this.#frameTime();
      const duration = this.#frameDuration();
      end = time && add(time, duration ?? this.nominalDuration);
      begun ||= 'time' in from && time !== undefined && compare(time, from.time) >= 0;
      if (!begun || skip-- > 0) continue;
      if (this.#frame.width !== this.#info.width || this.#frame.height !== this.#info.height) {
        this.#options.warn(`${this.#path} changes its size; all frames are brought to the first one's.`);
      }
      const pixels = await clock.time('convertIn', () =>
        this.#call(() => this.#converter!.convert(this.#frame, this.allocate)),
      );
      yield { ...pixels, time, duration };
    }
    this.#warnOfLoss(end);
  }

  /** Puts the next frame, deinterlaced if that was asked for, into `#frame`. */
  async #next(): Promise<boolean> {
    if (!this.#options.deinterlace) return this.#decodeNext();
    // The filter looks one frame ahead: nothing comes for the first frame, and the last one comes at the end.
    while (!this.#flushed) {
      this.#flushed = !(await this.#decodeNext());
      if (this.#flushed && !this.#deinterlacer) break;
      this.#deinterlacer ??= await this.#call(() => this.#createDeinterlacer());
      let given = false;
      const take = async (frame: AvFrame) => {
        this.#frame.unref();
        this.#frame.ref(frame);
        given = true;
      };
      await this.#call(() => this.#deinterlacer!.push(this.#flushed ? null : this.#frame, take));
      if (given) return true;
    }
    return false;
  }

  #createDeinterlacer(): Promise<Filters> {
    const { width, height, format, colorSpace, colorRange } = this.#frame;
    const { num, den } = this.#file.stream.timeBase;
    const size = `video_size=${width}x${height}:pix_fmt=${format}:time_base=${num}/${den}`;
    return Filters.create(
      this.#av,
      [
        { name: 'buffer', args: `${size}:colorspace=${colorSpace}:range=${colorRange}` },
        { name: 'bwdif', args: 'mode=send_frame:parity=auto:deint=all' },
        { name: 'buffersink' },
      ],
      `${this.#path} cannot be deinterlaced`,
    );
  }

  async #decodeNext(): Promise<boolean> {
    if (!this.#held) return this.#decode();
    this.#held = false;
    return true;
  }

  /** Decodes one frame into `#frame`; false at the end. What cannot be decoded is passed over and counted, as players do. */
  async #decode(): Promise<boolean> {
    const { AVERROR_EAGAIN, AVERROR_EOF, AVERROR_ENOMEM, AV_FRAME_FLAG_CORRUPT, AV_FRAME_FLAG_INTERLACED } = this.#av;
    for (;;) {
      const received = await this.#call(() => this.#codec.receiveFrame(this.#frame));
      if (received >= 0) break;
      if (received === AVERROR_EOF) return false;
      if (received === AVERROR_ENOMEM) checkAv(this.#av, received, 'VIDEO_UNREADABLE', this.#path);
      if (received !== AVERROR_EAGAIN) this.#damaged += 1;
      if (this.#draining) return false;
      await this.#feed();
    }
    const frame = this.#frame;
    frame.pts = frame.bestEffortTimestamp;
    if (frame.hasFlags(AV_FRAME_FLAG_CORRUPT) || frame.decodeErrorFlags !== 0) this.#damaged += 1;
    if (frame.hasFlags(AV_FRAME_FLAG_INTERLACED) && !this.#options.deinterlace) {
      this.#options.warn(
        `${this.#path} is interlaced: each frame holds two instants, which the model cannot tell apart. Set deinterlace (--deinterlace).`,
      );
    }
    return true;
  }

  /** Hands the decoder one more packet, or the end of the file. */
  async #feed(): Promise<void> {
    const { clock } = this.#file;
    const read = await this.#call(() => readPacket(this.#av, this.#file, this.#packet));
    if (clock?.wasSetBack) {
      this.#options.warn(
        `The clock of ${this.#path} is set back in the middle, as where files were joined; time goes on from there.`,
      );
    }
    if (this.#file.warning) this.#options.warn(this.#file.warning);
    if (read === this.#av.AVERROR_EOF) this.#draining = true;
    else checkAv(this.#av, read, 'VIDEO_UNREADABLE', this.#path);
    // An empty packet says that the previous picture stays.
    if (!this.#draining && this.#packet.size === 0) return;
    const sent = await this.#call(() => this.#codec.sendPacket(this.#draining ? null : this.#packet));
    if (sent < 0 && !this.#draining) this.#damaged += 1;
  }

  /**
   * Goes to where decoding leads to a frame at or before `time`. Formats without an index may land behind it; then it is
   * tried from further and further back, at last from well before the first frame.
   */
  async #seek(time: Rational): Promise<void> {
    const { format, stream, clock } = this.#file;
    const timeBase = fromAvRational(stream.timeBase);
    if (!this.#origin || !timeBase || compare(time, this.#origin) <= 0) return;
    for (let back = 0; ; back = back * 2 || 1) {
      const target = subtract(time, rational(back));
      const ticks = divide(target, timeBase);
      const flag = this.#av.AVSEEK_FLAG_BACKWARD;
      const sought = await this.#call(() => format.seekFrame(stream.index, ticks.num / ticks.den, flag));
      // Where seeking is impossible, everything up to `time` is decoded and passed over.
      if (sought < 0 && back === 0) return;
      clock?.restart();
      this.#codec.flushBuffers();
      this.#draining = false;
      this.#held = await this.#decode();
      const reached = this.#held && this.#frameTime();
      if (reached && compare(reached, time) <= 0) return;
      if (compare(add(target, rational(1)), this.#origin) <= 0) return;
    }
  }

  #frameTime(): Rational | undefined {
    return this.#frame.pts === this.#av.AV_NOPTS_VALUE ? undefined : this.#seconds(this.#frame.pts);
  }

  #frameDuration(): Rational | undefined {
    return this.#frame.duration > 0n ? this.#seconds(this.#frame.duration) : undefined;
  }

  #seconds(ticks: bigint): Rational | undefined {
    const unit = this.#deinterlacer?.step ?? fromAvRational(this.#file.stream.timeBase);
    return unit && multiply(rational(ticks), unit);
  }

  /** At the end of the file: says what was missing. */
  #warnOfLoss(end: Rational | undefined): void {
    if (this.#damaged) {
      this.#options.warn(`${this.#path} is damaged: ${this.#damaged} packets or frames could not be decoded properly.`);
    }
    const stated = statedDuration(this.#av, this.#file.stream, this.#origin);
    if (!stated || !end || !this.#origin) return;
    const read = subtract(end, this.#origin);
    // Containers round; three frames are beyond that.
    if (compare(add(read, multiply(rational(3), this.nominalDuration)), stated) < 0) {
      const [got, expected] = [read, stated].map((seconds) => toNumber(seconds).toFixed(2));
      this.#options.warn(`${this.#path} ends after ${got} s though it states ${expected} s; it was probably cut off.`);
    }
  }

  /** Runs one call into FFmpeg. Afterwards the video may have been closed meanwhile; then nothing more is touched. */
  async #call<T>(work: () => Promise<T>): Promise<T> {
    this.#checkOpen();
    const running = work();
    this.#running = running;
    const result = await running;
    this.#checkOpen();
    return result;
  }

  #checkOpen(): void {
    throwIfAborted(this.#options.signal);
    if (this.#closing) throw new FlavrError('DISPOSED', `${this.#path} was closed while it was being read.`);
  }

  close(): Promise<void> {
    this.#closing ??= this.#free();
    return this.#closing;
  }

  async #free(): Promise<void> {
    await this.#running.catch(() => {});
    this.#deinterlacer?.free();
    this.#converter?.free();
    this.#frame.free();
    this.#packet.free();
    this.#codec.freeContext();
    await this.#file.format.closeInput();
  }
}
