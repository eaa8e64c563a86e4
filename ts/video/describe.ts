import type { Frame as AvFrame, Stream } from 'node-av';
import { FlavrError } from '../errors.js';
import {
  add,
  compare,
  multiply,
  parseRational,
  type Rational,
  rational,
  subtract,
  toNumber,
  ZERO,
} from '../rational.js';
import { type Av, fromAvRational } from './av.js';
import { conversionColor, hdrTransfer, MATRIX_NAMES, MATRIX_RGB, RANGE_FULL, UNSPECIFIED } from './color.js';
import type { OpenedFile } from './demuxer.js';
import { pixelFormatTraits } from './pixel-format.js';
import type { RawVideoOptions } from './raw-video.js';
import type { ColorInfo, VideoInfo } from './types.js';

/**
 * What a video file is, from its container and its first decoded frame (which wins where both say something), with
 * warnings for what will not be kept.
 * @throws FlavrError `VIDEO_UNSUPPORTED` for PQ and HLG unless `force8bit` is set
 */
export function describeVideo(
  av: Av,
  path: string,
  { format, stream, decoder }: OpenedFile,
  frame: AvFrame,
  /** Time of that frame. */
  begins: Rational | undefined,
  options: Pick<RawVideoOptions, 'force8bit' | 'deinterlace' | 'warn'>,
): VideoInfo {
  const pixelFormat = av.avGetPixFmtName(frame.format as never) ?? 'unknown';
  const { bitDepth, alpha, rgb } = pixelFormatTraits(pixelFormat);
  const color: ColorInfo = {
    primaries: frame.colorPrimaries,
    transfer: frame.colorTrc,
    matrix: rgb ? MATRIX_RGB : frame.colorSpace,
    range: rgb ? RANGE_FULL : frame.colorRange,
    chromaLocation: rgb ? undefined : frame.chromaLocation,
  };
  const hdr = hdrTransfer(color);
  if (hdr && !options.force8bit) {
    throw new FlavrError(
      'VIDEO_UNSUPPORTED',
      `${path} is HDR video (${hdr}), which 8 bits per channel would spoil. To take it all the same, set force8bit (--force-8bit).`,
    );
  }
  if (bitDepth > 8) options.warn(`${path} has ${bitDepth} bits per channel; they are reduced to 8.`);
  if (color.matrix === UNSPECIFIED) {
    const { matrix } = conversionColor({ width: frame.width, height: frame.height, color });
    options.warn(`${path} does not state its colour matrix; ${MATRIX_NAMES[matrix]} is assumed, as players do.`);
  }
  const interlaced = frame.hasFlags(av.AV_FRAME_FLAG_INTERLACED);
  const [average, grid] = [stream.avgFrameRate, stream.rFrameRate].map(plausibleRate);
  const videos = format.streams.filter(
    (other) =>
      other.codecpar.codecType === av.AVMEDIA_TYPE_VIDEO && !other.hasDisposition(av.AV_DISPOSITION_ATTACHED_PIC),
  );
  if (videos.length > 1)
    options.warn(`${path} has ${videos.length} video streams; only stream ${stream.index} is read.`);
  return {
    kind: format.iformat?.name === 'gif' ? 'gif' : 'video',
    width: frame.width,
    height: frame.height,
    frameRate: average ?? grid,
    // Of interlaced video, the grid may be that of fields.
    densestRate: average && grid && !interlaced && isDenser(grid, average) ? grid : undefined,
    timeBase: fromAvRational(stream.timeBase),
    duration:
      statedDuration(av, stream, begins) ??
      streamDuration(av, stream) ??
      (format.duration > 0n ? rational(format.duration, 1_000_000n) : undefined),
    frameCount: stream.nbFrames > 0n ? Number(stream.nbFrames) : undefined,
    pixelFormat,
    bitDepth,
    alpha,
    interlaced,
    ...displayTurn(av, stream, frame),
    sampleAspect: fromAvRational(stream.sampleAspectRatio) ?? fromAvRational(frame.sampleAspectRatio) ?? rational(1),
    color,
    masteringDisplay: copied(
      stream.codecpar.getCodedSideData(av.AV_PKT_DATA_MASTERING_DISPLAY_METADATA) ??
        frame.getSideData(av.AV_FRAME_DATA_MASTERING_DISPLAY_METADATA),
    ),
    contentLight: copied(
      stream.codecpar.getCodedSideData(av.AV_PKT_DATA_CONTENT_LIGHT_LEVEL) ??
        frame.getSideData(av.AV_FRAME_DATA_CONTENT_LIGHT_LEVEL),
    ),
    codec: av.avGetCodecName(stream.codecpar.codecId) ?? decoder.name ?? 'unknown',
  };
}

// FFmpeg's memory is its own.
const copied = (data: Buffer | null) => (data ? Buffer.from(data) : undefined);

// Beyond that, the grid is a clock's.
const isDenser = (grid: Rational, average: Rational) => compare(grid, average) > 0 && toNumber(grid) <= 240;

/** Some containers state their clock where their frame rate belongs. */
function plausibleRate(rate: { num: number; den: number }): Rational | undefined {
  const exact = fromAvRational(rate);
  return exact && toNumber(exact) <= 1000 ? exact : undefined;
}

/**
 * How long the container says that this very stream is; FFmpeg fills the whole file's length in where it does not.
 * @param begins time of the first frame.
 */
export function statedDuration(av: Av, stream: Stream, begins: Rational = ZERO): Rational | undefined {
  if (stream.nbFrames > 0n) return streamDuration(av, stream);
  // Matroska keeps it as a tag: hours:minutes:seconds with decimals.
  const tag = /^(\d+):(\d+):(\d+(?:\.\d+)?)$/.exec(stream.metadata?.get('DURATION') ?? '');
  if (!tag) return undefined;
  const [, hours, minutes, seconds] = tag;
  const stated = add(rational(BigInt(hours!) * 3600n + BigInt(minutes!) * 60n), parseRational(seconds!, 'DURATION'));
  // Many programs, FFmpeg among them, state the time of the end there.
  return compare(stated, begins) > 0 ? subtract(stated, begins) : stated;
}

function streamDuration(av: Av, stream: Stream): Rational | undefined {
  const timeBase = fromAvRational(stream.timeBase);
  if (!timeBase || stream.duration === av.AV_NOPTS_VALUE || stream.duration <= 0n) return undefined;
  return multiply(rational(stream.duration), timeBase);
}

/** What the 3x3 matrix (16.16 fixed point) says of how to show the pictures. */
function displayTurn(av: Av, stream: Stream, frame: AvFrame): Pick<VideoInfo, 'rotation' | 'mirrored'> {
  const matrix =
    stream.codecpar.getCodedSideData(av.AV_PKT_DATA_DISPLAYMATRIX) ?? frame.getSideData(av.AV_FRAME_DATA_DISPLAYMATRIX);
  if (!matrix || matrix.length < 36) return { rotation: 0, mirrored: false };
  const [a, b, c, d] = [0, 4, 12, 16].map((offset) => matrix.readInt32LE(offset)) as [number, number, number, number];
  // A mirroring turns the first row around and leaves the second as it is.
  const degrees = Math.round((Math.atan2(-c, d) * 180) / Math.PI);
  return { rotation: (degrees + 360) % 360, mirrored: a * d < b * c };
}
