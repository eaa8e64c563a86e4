import type { Packet, Stream } from 'node-av';
import { FlavrError, throwIfAborted } from '../errors.js';
import { add, compare, divide, multiply, parseRational, type Rational, rational, toNumber, ZERO } from '../rational.js';
import { type Av, fromAvRational, loadAv, toAvRational } from './av.js';
import { type Chapter, chaptersOf, holdsChapters, readChapters, writeChapters } from './chapters.js';
import { fromTicks, Timeline, ticksPerSecond, toTicks } from './clock.js';
import { ALPHA_OUTPUTS, type Container, encoderProfile } from './containers.js';
import { clockStart, sourceMetadata } from './copy-source.js';
import { openFile } from './demuxer.js';
import { displayMatrix } from './display-matrix.js';
import { VideoEncoder } from './encode.js';
import { Muxer, type OutputStream } from './mux.js';
import { OutputFile, unwritable } from './output-file.js';
import { createStop, SerialSink, type Stop, type WrittenFrame } from './serial-sink.js';
import { StageClock, type WriteClock } from './stage-clock.js';
import { StreamCopier } from './stream-copy.js';
import type { SinkOptions, VideoSink } from './types.js';

const ONE = rational(1);
const CENTISECOND = rational(1, 100);

/** A file of one of the containers of `CONTAINERS`: the frames encoded, the source's other streams beside them. */
export async function openVideoSink(path: string, container: Container, options: SinkOptions): Promise<VideoSink> {
  const codec = options.codec ?? defaultEncoder(path, container, options);
  const slow = slowFactor(options);
  const av = await loadAv();
  const stop = createStop(options.signal);
  throwIfAborted(stop.signal);
  const parts: { close(): void | Promise<void> }[] = [];
  const opened = <T extends { close(): void | Promise<void> }>(part: T): T => {
    parts.unshift(part);
    return part;
  };
  const file = await OutputFile.create(path, options.overwrite);
  const release = async () => {
    for (const part of parts.splice(0)) await part.close();
  };
  try {
    const source = options.copyFrom === undefined ? undefined : await openFile(av, options.copyFrom);
    if (source) opened({ close: () => source.format.closeInput() });
    const muxer = opened(new Muxer(av, container.muxer, file, stop.signal));
    const steady = container.clock === 'rate' || encoderProfile(codec).countsFrames === true;
    const timeBase = chooseTimeBase(container, steady, options, slow, source?.stream);
    const { info, crf, encoderOptions, threads, clock = new StageClock() } = options;
    const frameRate = steady && options.frameRate ? divide(ONE, timeBase) : options.frameRate;
    if (frameRate && compare(frameRate, highestRate(container, timeBase)) > 0) {
      throw tooFast(path, container, timeBase, frameRate, info.frameRate && divide(info.frameRate, slow));
    }
    const globalHeader = muxer.wantsGlobalHeader;
    const encoding = { info, codec, crf, options: encoderOptions, threads, frameRate, timeBase, globalHeader, clock };
    const encoder = opened(await VideoEncoder.open(av, encoding));
    checkMuxerOptions(muxer, codec, container, encoder.otherOptions);
    const stream = muxer.addStream(encoder.context, timeBase);
    const metadata = source && sourceMetadata(source, options);
    tagVideo(av, stream, container, { ...options, frameRate }, source?.stream, metadata?.video);
    const timeline = new Timeline({
      origin: options.range?.start ?? (source && clockStart(av, source)) ?? ZERO,
      start: options.range?.start,
      end: options.range?.end,
      slow,
    });
    let copier: StreamCopier | undefined;
    let chapters: Chapter[] = [];
    if (source) {
      const copy = { path: options.copyFrom!, container, timeline, audio: options.audio };
      copier = opened(await StreamCopier.create(av, source, muxer, copy));
      chapters = chaptersOf(await readChapters(av, copy.path, source), timeline);
    }
    if (metadata) muxer.metadata = metadata.file;
    await muxer.writeHeader({ ...container.muxerOptions, ...encoder.otherOptions });
    const warnings = [...(metadata?.warnings ?? [])];
    if (!container.hdrMetadata && (info.masteringDisplay || info.contentLight)) {
      warnings.push(
        `The source's HDR metadata (mastering display, content light level) is left out: ${container.muxer} cannot hold it.`,
      );
    }
    return new EncodedSink(
      {
        file,
        muxer,
        encoder,
        copier,
        chapters,
        stream,
        timeline,
        container,
        timeBase,
        warnings,
        clock,
        release,
      },
      options,
      stop,
    );
  } catch (error) {
    await release();
    await file.discard();
    throw error;
  }
}

interface Parts {
  readonly file: OutputFile;
  readonly muxer: Muxer;
  readonly encoder: VideoEncoder;
  readonly copier: StreamCopier | undefined;
  readonly chapters: readonly Chapter[];
  readonly stream: OutputStream;
  readonly timeline: Timeline;
  readonly container: Container;
  /** One tick of the encoder's clock, in seconds. */
  readonly timeBase: Rational;
  /** Of what of the source's description is left out. */
  readonly warnings: readonly string[];
  readonly clock: WriteClock;
  release(): Promise<void>;
}

class EncodedSink extends SerialSink {
  readonly #parts: Parts;
  readonly #warnings: string[] = [];
  // In ticks of the encoder's clock.
  #first: { pts: bigint; dts: bigint } | undefined;
  #lastTime: Rational | undefined;
  #lastPts: bigint | undefined;
  #end = 0n;
  #leavesOut = false;
  // The encoder's latest packet, which is written when it is known whether another follows.
  #held: Packet | undefined;

  constructor(parts: Parts, options: SinkOptions, stop: Stop) {
    super(parts.file.path, options.info, stop);
    this.#parts = parts;
  }

  get warnings(): readonly string[] {
    const { encoder, copier, muxer, warnings } = this.#parts;
    return [...encoder.warnings, ...warnings, ...(copier?.warnings ?? []), ...muxer.warnings, ...this.#warnings];
  }

  protected async take(frame: WrittenFrame): Promise<boolean> {
    const { encoder, timeline, container, timeBase } = this.#parts;
    const time = timeline.toOutput(frame.time);
    const pts = toTicks(time, timeBase);
    if (this.#lastTime && compare(time, this.#lastTime) <= 0) {
      throw new FlavrError(
        'BAD_FRAME',
        `Frames must come in order of time; one of ${toNumber(time)} s came after one of ${toNumber(this.#lastTime)} s.`,
      );
    }
    this.#lastTime = time;
    this.#end = toTicks(add(time, timeline.scale(frame.duration)), timeBase);
    if (this.#lastPts !== undefined && pts - this.#lastPts < container.shortestFrame) {
      if (!this.#leavesOut) this.#warnings.push(crowded(this.path, container, timeBase));
      this.#leavesOut = true;
      return false;
    }
    this.#lastPts = pts;
    await encoder.encode(frame.data, frame.alpha, pts, this.#end - pts, (packet) => this.#emit(packet));
    return true;
  }

  protected async complete(): Promise<void> {
    const { file, muxer, encoder, copier, container, clock, release } = this.#parts;
    await encoder.flush((packet) => this.#emit(packet));
    if (this.#held && this.#first && container.decodeDurations) this.#closeDecodeTimes(this.#held, this.#first);
    // GIF states each frame's delay itself; the last one's would be the one before it.
    if (this.#lastPts !== undefined && container.muxer === 'gif') {
      const delay = Number(this.#end - this.#lastPts);
      muxer.setOption('final_delay', Math.max(delay, Number(container.shortestFrame)));
    }
    await clock.time('write', async () => {
      await this.#writeHeld();
      await copier?.finish();
      await muxer.writeTrailer();
      await release();
      await this.#writeChapters();
      throwIfAborted(this.signal);
      await file.commit();
    });
  }

  protected async discard(): Promise<void> {
    this.#held?.free();
    await this.#parts.release();
    await this.#parts.file.discard();
  }

  // The stream's length, where only distances between decode times are stored, is their sum and one duration; it must
  // come to the length of what is shown. No packet may seem to be shown beyond the end, which is stated apart.
  #closeDecodeTimes(last: Packet, first: { pts: bigint; dts: bigint }): void {
    const decodeEnd = this.#end - (first.pts - first.dts);
    const missing = decodeEnd - last.dts;
    const longest = this.#end - last.pts;
    if (missing > last.duration) last.duration = missing;
    if (last.duration > longest) last.duration = longest;
    if (last.dts < decodeEnd - last.duration) last.dts = decodeEnd - last.duration;
  }

  async #writeChapters(): Promise<void> {
    const { chapters, container, file } = this.#parts;
    if (chapters.length === 0) return;
    const leftOut = (why: string) =>
      this.#warnings.push(`The source's ${chapters.length} chapters are left out: ${why}.`);
    if (!holdsChapters(container.muxer)) {
      leftOut(`${container.muxer} cannot hold them`);
      return;
    }
    try {
      const written = await writeChapters(file.temporary, container.muxer, chapters);
      if (!written) leftOut('the options of the muxer leave no room for them');
    } catch (error) {
      throw unwritable(this.path, error);
    }
  }

  async #emit(packet: Packet): Promise<void> {
    this.#first ??= { pts: packet.pts, dts: packet.dts };
    await this.#writeHeld();
    this.#held = packet.clone() ?? undefined;
  }

  async #writeHeld(): Promise<void> {
    const packet = this.#held;
    if (!packet) return;
    const { muxer, copier, stream, timeBase } = this.#parts;
    const dts = fromTicks(packet.dts, timeBase);
    const times = { pts: fromTicks(packet.pts, timeBase), dts, duration: fromTicks(packet.duration, timeBase) };
    // What belongs beside this packet goes first, so that the muxer holds no more than it must.
    await copier?.pump(dts);
    await muxer.write(packet, stream, times);
    packet.free();
    this.#held = undefined;
  }
}

function slowFactor({ slow, audio }: SinkOptions): Rational {
  const factor = parseRational(slow, 'slow');
  if (compare(factor, ZERO) <= 0) throw new FlavrError('BAD_ARGUMENT', `slow must be above 0; got ${slow}.`);
  if (slow !== 1 && audio === 'keep') {
    throw new FlavrError('BAD_ARGUMENT', 'In slow motion the sound cannot stay as it is: drop it or stretch it.');
  }
  return factor;
}

const highestRate = ({ shortestFrame }: Container, timeBase: Rational): Rational =>
  divide(ONE, multiply(timeBase, rational(shortestFrame)));

/** What only comes to light frame by frame must not end a run of hours. */
const crowded = (path: string, container: Container, timeBase: Rational): string =>
  `${path} can hold at most ${toNumber(highestRate(container, timeBase))} frames per second; where more come, some are left out. Ask for a rate (fps), or write to another format.`;

function tooFast(
  path: string,
  container: Container,
  timeBase: Rational,
  asked: Rational,
  /** The source's rate, as it is written. */
  rate?: Rational,
): FlavrError {
  const highest = highestRate(container, timeBase);
  const k = rate && Math.floor(toNumber(divide(highest, rate)));
  const most = k ? ` (of this source, k can be at most ${k})` : '';
  return new FlavrError(
    'VIDEO_UNSUPPORTED',
    `${path} can hold at most ${toNumber(highest)} frames per second; ${toNumber(asked)} are asked for. Ask for a lower rate${most}, or write to another format.`,
  );
}

function defaultEncoder(path: string, container: Container, { info }: SinkOptions): string {
  if (!info.alpha) return container.encoder;
  if (container.alphaEncoder) return container.alphaEncoder;
  throw new FlavrError(
    'VIDEO_UNSUPPORTED',
    `The source has transparency, which ${path} cannot keep. Write to ${ALPHA_OUTPUTS}.`,
  );
}

// Every time that is known to come must be a whole number of ticks; what is not known is rounded to the nearest.
function chooseTimeBase(
  container: Container,
  steady: boolean,
  options: SinkOptions,
  slow: Rational,
  video: Stream | undefined,
): Rational {
  const { frameRate, info } = options;
  const frame = frameRate && divide(ONE, frameRate);
  if (container.clock === 'centiseconds') return CENTISECOND;
  // A source that pauses has a low rate on average, at which most of its frames would have no place.
  if (steady && frame) {
    const { frameRate: average, densestRate: densest } = info;
    return densest && average && options.timeBase ? multiply(frame, divide(average, densest)) : frame;
  }
  const source = info.timeBase ?? (video && fromAvRational(video.timeBase));
  const start = options.range?.start;
  const steps = [options.timeBase, frame, source && multiply(source, slow), start && multiply(start, slow)];
  return rational(1n, ticksPerSecond(steps));
}

// What the encoder does not know may be the muxer's, for example movflags.
function checkMuxerOptions(
  muxer: Muxer,
  codec: string,
  { muxer: name }: Container,
  options: VideoEncoder['otherOptions'],
) {
  for (const option of Object.keys(options)) {
    if (muxer.hasOption(option)) continue;
    throw new FlavrError(
      'BAD_ARGUMENT',
      `Neither the encoder ${codec} nor the muxer ${name} has an option "${option}".`,
    );
  }
}

function tagVideo(
  av: Av,
  { stream }: OutputStream,
  container: Container,
  options: SinkOptions,
  source: Stream | undefined,
  metadata: Readonly<Record<string, string>> | undefined,
): void {
  const { info, frameRate } = options;
  stream.sampleAspectRatio = toAvRational(av, info.sampleAspect);
  if (frameRate) stream.avgFrameRate = toAvRational(av, frameRate);
  if (container.hevcTag && stream.codecpar.codecId === av.AV_CODEC_ID_HEVC)
    stream.codecpar.codecTag = container.hevcTag;
  // The source's own matrix may hold a mirroring that degrees cannot tell.
  const matrix = source?.codecpar.getCodedSideData(av.AV_PKT_DATA_DISPLAYMATRIX);
  if (container.rotation && (matrix || info.mirrored || info.rotation % 360 !== 0)) {
    const turned = matrix ?? displayMatrix(info.rotation, info.mirrored);
    stream.codecpar.addCodedSideData(av.AV_PKT_DATA_DISPLAYMATRIX, turned);
  }
  if (container.hdrMetadata) {
    const { masteringDisplay, contentLight } = info;
    if (masteringDisplay) stream.codecpar.addCodedSideData(av.AV_PKT_DATA_MASTERING_DISPLAY_METADATA, masteringDisplay);
    if (contentLight) stream.codecpar.addCodedSideData(av.AV_PKT_DATA_CONTENT_LIGHT_LEVEL, contentLight);
  }
  if (source) stream.disposition = source.disposition;
  // Without this entry, players do not look for the alpha that lies beside VP9.
  const alpha = info.alpha && stream.codecpar.codecId === av.AV_CODEC_ID_VP9 ? { alpha_mode: '1' } : {};
  stream.metadata = av.Dictionary.fromObject({ ...metadata, ...alpha });
}
