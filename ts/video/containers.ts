import { extname } from 'node:path';
import { FlavrError } from '../errors.js';

/** What a file name's extension means for writing. Codecs are FFmpeg's names. */
export interface Container {
  /** FFmpeg's muxer. */
  readonly muxer: string;
  readonly muxerOptions?: Readonly<Record<string, string>>;
  /** The default encoder. */
  readonly encoder: string;
  /** The default encoder where frames have alpha; undefined: the container has none that players read alpha from. */
  readonly alphaEncoder: string | undefined;
  /** Audio codecs that are copied as they are; others are re-encoded with `audioEncoder`; undefined: there is no sound. */
  readonly audio: readonly string[] | 'any';
  readonly audioEncoder: string | undefined;
  /** Subtitle codecs that are copied as they are; other text is converted to `textSubtitles`, other pictures are left out. */
  readonly subtitles: readonly string[];
  readonly textSubtitles: TextSubtitles | undefined;
  /** Whether files (fonts) can be attached. */
  readonly attachments: boolean;
  /** What a cover picture becomes; undefined: it is left out. */
  readonly cover: 'stream' | 'attachment' | undefined;
  /**
   * The clock of the file: `free` takes the step that frames need, `rate` has one tick per frame and no other; GIF counts
   * hundredths of a second.
   */
  readonly clock: 'free' | 'rate' | 'centiseconds';
  /** The shortest time that players show a frame for, in ticks of that clock. */
  readonly shortestFrame: bigint;
  /** Whether it can say how its pictures are to be turned. Where it cannot, they are turned before they are encoded. */
  readonly rotation: boolean;
  /** Whether it has a place for the mastering display and content light level of HDR video. */
  readonly hdrMetadata: boolean;
  /** Durations are stored as distances between decode times, so that the last packet in decode order ends the video. */
  readonly decodeDurations: boolean;
  /** Apple's players take HEVC under this tag only; FFmpeg's default is the other one that the standard allows. */
  readonly hevcTag?: string;
}

export type TextSubtitles = 'mov_text' | 'subrip' | 'webvtt';

const MP4: Container = {
  muxer: 'mp4',
  encoder: 'libx264',
  alphaEncoder: undefined,
  audio: ['aac', 'mp3', 'mp2', 'ac3', 'eac3', 'opus', 'flac', 'alac', 'dts'],
  audioEncoder: 'aac',
  subtitles: ['mov_text', 'dvd_subtitle'],
  textSubtitles: 'mov_text',
  attachments: false,
  cover: 'stream',
  clock: 'free',
  shortestFrame: 1n,
  rotation: true,
  hdrMetadata: true,
  decodeDurations: true,
  hevcTag: 'hvc1',
};
const MOV: Container = {
  ...MP4,
  muxer: 'mov',
  alphaEncoder: 'prores_ks',
  audio: [
    ...[
      'aac',
      'mp3',
      'ac3',
      'eac3',
      'alac',
      'pcm_s16le',
      'pcm_s16be',
      'pcm_s24le',
      'pcm_s24be',
      'pcm_s32le',
      'pcm_s32be',
    ],
    ...['pcm_f32le', 'pcm_f32be', 'pcm_f64le', 'pcm_f64be', 'pcm_u8', 'pcm_s8', 'pcm_alaw', 'pcm_mulaw'],
  ],
  subtitles: ['mov_text'],
  cover: undefined,
};
const MATROSKA: Container = {
  muxer: 'matroska',
  encoder: 'libx264',
  alphaEncoder: 'libvpx-vp9',
  audio: 'any',
  audioEncoder: 'aac',
  subtitles: [
    'subrip',
    'ass',
    'webvtt',
    'hdmv_pgs_subtitle',
    'dvd_subtitle',
    'dvb_subtitle',
    'hdmv_text_subtitle',
    'arib_caption',
  ],
  textSubtitles: 'subrip',
  attachments: true,
  cover: 'attachment',
  clock: 'free',
  shortestFrame: 1n,
  rotation: true,
  hdrMetadata: true,
  decodeDurations: false,
};
const MPEGTS: Container = {
  muxer: 'mpegts',
  encoder: 'libx264',
  alphaEncoder: undefined,
  audio: ['aac', 'mp2', 'mp3', 'ac3', 'eac3', 'dts', 'truehd', 'opus'],
  audioEncoder: 'aac',
  subtitles: ['dvb_subtitle', 'dvb_teletext', 'hdmv_pgs_subtitle'],
  textSubtitles: undefined,
  attachments: false,
  cover: undefined,
  clock: 'free',
  shortestFrame: 1n,
  rotation: false,
  hdrMetadata: false,
  decodeDurations: false,
};
/** Of Blu-ray and of AVCHD cameras: each packet is preceded by its time. FFmpeg goes by the name, which is not final while it writes. */
const M2TS: Container = { ...MPEGTS, muxerOptions: { mpegts_m2ts_mode: '1' } };

/** Every file extension that can be written; a name without extension is a folder of images. */
export const CONTAINERS: Readonly<Record<string, Container>> = {
  mp4: MP4,
  m4v: MP4,
  mov: MOV,
  mkv: MATROSKA,
  webm: {
    ...MATROSKA,
    muxer: 'webm',
    encoder: 'libvpx-vp9',
    audio: ['opus', 'vorbis'],
    audioEncoder: 'libopus',
    subtitles: ['webvtt'],
    textSubtitles: 'webvtt',
    attachments: false,
    cover: undefined,
  },
  ts: MPEGTS,
  mts: M2TS,
  m2ts: M2TS,
  avi: {
    muxer: 'avi',
    // H.264 in AVI has no place for the display order of B-frames; MPEG-4 part 2 without them is what AVI players expect.
    encoder: 'mpeg4',
    alphaEncoder: undefined,
    audio: ['mp3', 'mp2', 'ac3', 'dts', 'pcm_s16le', 'pcm_u8', 'pcm_s24le', 'pcm_alaw', 'pcm_mulaw'],
    audioEncoder: 'libmp3lame',
    subtitles: [],
    textSubtitles: undefined,
    attachments: false,
    cover: undefined,
    clock: 'rate',
    shortestFrame: 1n,
    rotation: false,
    hdrMetadata: false,
    decodeDurations: false,
  },
  gif: {
    muxer: 'gif',
    encoder: 'gif',
    alphaEncoder: 'gif',
    audio: [],
    audioEncoder: undefined,
    subtitles: [],
    textSubtitles: undefined,
    attachments: false,
    cover: undefined,
    clock: 'centiseconds',
    // A delay of less than two hundredths is taken for a slow default.
    shortestFrame: 2n,
    rotation: false,
    hdrMetadata: false,
    decodeDurations: false,
  },
};

/** Where frames with alpha can go, for messages. */
export const ALPHA_OUTPUTS = '.webm (VP9), .mkv (VP9), .mov (ProRes 4444), .gif, or a folder of PNG images';

/**
 * The container that a file name's extension asks for; undefined for a folder of images.
 * @throws FlavrError `VIDEO_UNSUPPORTED` for an extension that is not in the table, naming those that are; `BAD_ARGUMENT`
 * for "-", which elsewhere means a pipe.
 */
export function outputContainer(path: string): Container | undefined {
  if (path === '-') {
    throw new FlavrError('BAD_ARGUMENT', 'flavr writes files, not pipes: name one (for a folder called "-", ./-).');
  }
  const extension = extname(path).slice(1).toLowerCase();
  if (extension === '' || /[\\/]$/.test(path)) return undefined;
  if (Object.hasOwn(CONTAINERS, extension)) return CONTAINERS[extension];
  throw new FlavrError(
    'VIDEO_UNSUPPORTED',
    `No video can be written to a .${extension} file. Use one of ${Object.keys(CONTAINERS).join(', ')}, or a name without extension for a folder of images.`,
  );
}

/** What is known of an encoder beyond what FFmpeg says of it. */
export interface EncoderProfile {
  /** Default constant rate factor; undefined: FFmpeg's own default quality or `options`. */
  readonly crf?: number;
  /** The largest, where FFmpeg does not tell it and the encoder takes a larger one for it. */
  readonly worstCrf?: number;
  readonly options?: Readonly<Record<string, string>>;
  /** The pixel format for opaque frames; undefined: yuv420p where the encoder has it, else the nearest to RGB. */
  readonly pixelFormat?: string;
  /** The pixel format for frames with alpha, with the options it takes. */
  readonly alphaFormat?: string;
  readonly alphaOptions?: Readonly<Record<string, string>>;
  /** What the codec states of the matrix, where that is not the one it is told: always BT.601, or nothing. */
  readonly matrix?: 'bt601' | 'none';
  /** The most ticks per second that the codec can count; undefined: as many as containers can. */
  readonly maxTicks?: bigint;
  /** It counts frames: its clock has one tick for each and no other. */
  readonly countsFrames?: boolean;
  /** 4:2:0 needs even sides. */
  readonly evenSides?: boolean;
}

/**
 * The default quality is near the point from which no loss is seen (x264's authors call 17 or 18 that): originals are
 * re-encoded here, and a file of smoother but visibly worse frames is no gain.
 */
const ENCODERS: Readonly<Record<string, EncoderProfile>> = {
  // A step quicker than x264's own default: a fifth less time, for up to 4 % of the size and 0.1 dB.
  libx264: { crf: 18, worstCrf: 51, options: { preset: 'fast' }, evenSides: true },
  libx264rgb: { crf: 18, worstCrf: 51, pixelFormat: 'rgb24' },
  libx265: { crf: 20, worstCrf: 51, options: { 'x265-params': 'log-level=none' }, evenSides: true },
  // Without "b=0" the factor is only a floor under the default bit rate; the speed is a compromise (the default, 1, takes four times as long).
  'libvpx-vp9': {
    crf: 24,
    options: { b: '0', 'row-mt': '1', 'cpu-used': '4' },
    alphaFormat: 'yuva420p',
    // FFmpeg refuses alternate reference frames beside alpha.
    alphaOptions: { 'auto-alt-ref': '0' },
  },
  libvpx: {
    matrix: 'bt601',
    crf: 8,
    options: { b: '20M', 'cpu-used': '4' },
    alphaFormat: 'yuva420p',
    alphaOptions: { 'auto-alt-ref': '0' },
  },
  libsvtav1: { crf: 24, options: { preset: '8' } },
  mpeg4: { options: { flags: '+qscale', global_quality: String(2 * 118), bf: '0' }, matrix: 'none', maxTicks: 65_535n },
  mpeg2video: { options: { flags: '+qscale', global_quality: String(2 * 118) }, countsFrames: true },
  libtheora: { options: { flags: '+qscale', global_quality: String(9 * 118) }, countsFrames: true },
  mjpeg: { options: { flags: '+qscale', global_quality: String(2 * 118) }, pixelFormat: 'yuvj444p', matrix: 'bt601' },
  prores_ks: { alphaFormat: 'yuva444p10le', alphaOptions: { profile: '4444', alpha_bits: '8' } },
  gif: { pixelFormat: 'pal8', alphaFormat: 'pal8' },
  png: { pixelFormat: 'rgb24', alphaFormat: 'rgba' },
  qtrle: { pixelFormat: 'rgb24', alphaFormat: 'argb' },
  ffv1: { pixelFormat: 'bgr0', alphaFormat: 'bgra' },
  utvideo: { pixelFormat: 'gbrp', alphaFormat: 'gbrap' },
};

/** What is known of the encoder of this name; nothing of most. */
export const encoderProfile = (name: string): EncoderProfile => (Object.hasOwn(ENCODERS, name) ? ENCODERS[name]! : {});
