import type { CodecContext, CodecParameters, FormatContext, Packet, Stream } from 'node-av';
import { FlavrError, throwIfAborted } from '../errors.js';
import { add, type Rational, rational } from '../rational.js';
import { type Av, avError, toAvRational } from './av.js';
import { ticksPerSecond, toTicks } from './clock.js';
import type { OutputFile } from './output-file.js';

const MILLISECOND = rational(1, 1000);

/** Output times of a packet, in exact seconds. */
export interface PacketTimes {
  readonly pts: Rational;
  readonly dts: Rational;
  readonly duration: Rational;
}

/** One stream of the file being written. */
export interface OutputStream {
  readonly stream: Stream;
  /** What warnings call it, where damaged packets of it are left out; undefined: none may be missing. */
  readonly name: string | undefined;
  /** Packets handed to FFmpeg, which may hold them back. */
  packets: bigint;
  /** Times must not go back within a stream, which rounding to a coarse clock could do. */
  lastDts: bigint | undefined;
}

/** Packets to a file, interleaved by time. All streams are added before `writeHeader`. */
export class Muxer {
  /** Ends every write once it fires; what feeds the muxer looks at it, too. */
  readonly signal: AbortSignal;
  readonly #av: Av;
  readonly #context: FormatContext;
  readonly #file: OutputFile;
  readonly #muxer: string;
  readonly #steps: Rational[] = [];
  readonly #streams: OutputStream[] = [];
  readonly #warnings: string[] = [];
  // Whether any packet was refused for what it holds.
  #refused = false;
  #open = false;
  #headerWritten = false;

  constructor(av: Av, muxer: string, file: OutputFile, signal: AbortSignal) {
    this.#av = av;
    this.signal = signal;
    this.#file = file;
    this.#muxer = muxer;
    this.#context = new av.FormatContext();
    this.#check(this.#context.allocOutputContext2(null, muxer, file.temporary));
  }

  get wantsGlobalHeader(): boolean {
    return this.#context.oformat?.hasFlags(this.#av.AVFMT_GLOBALHEADER) ?? false;
  }

  /** Of what is missing, once the trailer is written. */
  get warnings(): readonly string[] {
    return this.#warnings;
  }

  hasOption(name: string): boolean {
    const option = this.#av.Option.find(this.#context.getNative(), name, this.#av.AV_OPT_SEARCH_CHILDREN);
    return option !== null && option.type !== this.#av.AV_OPT_TYPE_CONST;
  }

  /** @param name of a stream of the source's, whose packets may be damaged. */
  addStream(source: CodecContext | CodecParameters, timeBase: Rational, name?: string): OutputStream {
    const stream = this.#context.newStream(null);
    if (source instanceof this.#av.CodecContext) this.#check(stream.codecpar.fromContext(source));
    else {
      this.#check(source.copy(stream.codecpar));
      // The source container's tag may mean something else here; 0 lets the muxer choose its own.
      stream.codecpar.codecTag = 0;
    }
    this.#steps.push(timeBase);
    stream.timeBase = toAvRational(this.#av, timeBase);
    const output = { stream, name, packets: 0n, lastDts: undefined };
    this.#streams.push(output);
    return output;
  }

  set metadata(entries: Readonly<Record<string, string>>) {
    this.#context.metadata = this.#av.Dictionary.fromObject(entries);
  }

  async writeHeader(options: Readonly<Record<string, string>>): Promise<void> {
    this.#check(await this.#context.openOutput());
    this.#open = true;
    const settings = { ...this.#clockOptions(), ...options };
    const result = await this.#context.writeHeader(this.#av.Dictionary.fromObject(settings));
    if (result === this.#av.AVERROR_EINVAL || result === this.#av.AVERROR_PATCHWELCOME) {
      const codecs = this.#context.streams.map(({ codecpar }) => this.#av.avGetCodecName(codecpar.codecId));
      throw new FlavrError(
        'VIDEO_UNSUPPORTED',
        `A ${this.#muxer} file cannot hold these streams with these options: ${codecs.join(', ')}. Choose another codec or container.`,
      );
    }
    this.#check(result);
    this.#headerWritten = true;
  }

  setOption(name: string, value: number): void {
    this.#check(this.#context.setOption(name, value));
  }

  /** Writes the packet with these times; its data is taken over, so the packet comes back empty. */
  async write(packet: Packet, to: OutputStream, times: PacketTimes): Promise<void> {
    throwIfAborted(this.signal);
    const { num, den } = to.stream.timeBase;
    const step = rational(num, den);
    let dts = toTicks(times.dts, step);
    if (to.lastDts !== undefined && dts <= to.lastDts) dts = to.lastDts + 1n;
    const pts = toTicks(times.pts, step);
    to.lastDts = dts;
    packet.streamIndex = to.stream.index;
    packet.dts = dts;
    packet.pts = pts;
    if (pts < dts) packet.pts = dts;
    // From the rounded start to the rounded end: a sum of rounded durations would drift.
    const end = toTicks(add(times.pts, times.duration), step);
    packet.duration = end > packet.pts ? end - packet.pts : 0n;
    packet.timeBase = { num, den };
    packet.pos = -1n;
    to.packets += 1n;
    this.#isTaken(await this.#context.interleavedWriteFrame(packet));
  }

  /** Writes what the file's end needs; everything is with the system afterwards. */
  async writeTrailer(): Promise<void> {
    // The trailer itself would give up at the first packet that is refused of those that wait for their turn.
    while (!this.#isTaken(await this.#context.interleavedWriteFrame(null)));
    for (const output of this.#streams) this.#checkComplete(output);
    this.#headerWritten = false;
    this.#check(await this.#context.writeTrailer());
  }

  /** False where a packet was refused for what it holds: the one that was given, or one that waited for its turn. */
  #isTaken(result: number): boolean {
    if (result === this.#av.AVERROR_INVALIDDATA && this.#streams.some(({ name }) => name !== undefined)) {
      this.#refused = true;
      return false;
    }
    this.#check(result);
    return true;
  }

  #checkComplete({ stream, name, packets }: OutputStream): void {
    // FFmpeg merges packets of some subtitles, and passes over damaged ones of some sound without a word.
    const counted = this.#refused || stream.codecpar.codecType === this.#av.AVMEDIA_TYPE_AUDIO;
    const missing = counted ? packets - stream.nbFrames : 0n;
    if (missing <= 0n) return;
    if (name === undefined) this.#check(this.#av.AVERROR_INVALIDDATA);
    this.#warnings.push(
      `${name} is damaged: ${missing} of its ${packets} packets are left out, which ${this.#muxer} cannot hold.`,
    );
  }

  async close(): Promise<void> {
    if (this.#open) {
      this.#open = false;
      // Streams keep memory until a trailer is written, whatever becomes of the file.
      if (this.#headerWritten) await this.#context.writeTrailer();
      await this.#context.closeOutput();
    }
    this.#context.freeContext();
  }

  // MP4 and MOV state the streams' offsets and lengths on a clock of the file's own, of milliseconds unless told otherwise.
  #clockOptions(): Record<string, string> {
    if (!this.hasOption('movie_timescale')) return {};
    const [video] = this.#steps;
    return {
      movie_timescale: String(ticksPerSecond([...this.#steps, MILLISECOND])),
      ...(video && { video_track_timescale: String(video.den) }),
    };
  }

  #check(result: number): void {
    if (result >= 0) return;
    throw avError(this.#av, result, 'VIDEO_UNWRITABLE', `${this.#file.path} could not be written`);
  }
}
