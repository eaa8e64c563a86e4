import { type Rational, toNumber } from '../rational.js';
import { DEFAULT_SCENE_THRESHOLD } from '../video/cuts.js';
import { interpolateVideo } from '../video/index.js';
import type { VideoSummary } from '../video/options.js';
import type { StageTiming, VideoTimings } from '../video/timings.js';
import { type CommandContext, defineCommand } from './command.js';
import { ProgressLine } from './progress.js';
import { RUN_OPTIONS, readRunOptions } from './run-options.js';
import {
  choiceOption,
  integerOption,
  keyValueOption,
  numberOption,
  rateOption,
  thresholdOption,
  timeOption,
} from './values.js';

const OPTIONS = {
  output: {
    type: 'string',
    short: 'o',
    value: 'OUT',
    required: true,
    help: 'the file (or, for images, the folder) to write; its extension chooses the container',
  },
  k: {
    type: 'string',
    short: 'k',
    value: 'N',
    help: "divide every gap in N: (frames-1)*N + 1 frames in the same time (default: the model's factor)",
  },
  fps: { type: 'string', value: 'R', help: 'a constant target rate instead, such as 60 or 60000/1001' },
  slow: { type: 'string', value: 'N', help: 'slow motion instead: keep the rate, stretch time by N' },
  audio: { type: 'string', value: 'drop|stretch', help: 'with --slow, what becomes of the sound (default: drop)' },
  ...RUN_OPTIONS,
  engine: { type: 'string', value: 'FILE', help: 'an engine written by flavr build, in place of a model' },
  codec: { type: 'string', value: 'NAME', help: "FFmpeg's encoder name, such as libx265 (default: by container)" },
  crf: {
    type: 'string',
    value: 'N',
    help: 'quality of encoders that have one: lower is better and larger (default: 18 for H.264)',
  },
  'encoder-option': {
    type: 'string',
    value: 'K=V',
    multiple: true,
    help: 'an option of the encoder, such as preset=slow; may be repeated',
  },
  'scene-threshold': {
    type: 'string',
    value: 'X|off',
    help: `how different two frames must be to be a cut, from 0 to 1, or off (default: ${DEFAULT_SCENE_THRESHOLD})`,
  },
  start: { type: 'string', value: 'T', help: 'begin at this time: 12.5 or 1:02.5' },
  duration: { type: 'string', value: 'T', help: 'take this much of the source' },
  'input-fps': {
    type: 'string',
    value: 'R',
    help: "ignore the source's timestamps; the rate of a folder of images (default there: 24)",
  },
  deinterlace: { type: 'boolean', help: 'deinterlace the source first' },
  'force-8bit': { type: 'boolean', help: 'take an HDR source all the same, reduced to 8 bits' },
  overwrite: { type: 'boolean', help: 'replace an existing output' },
} as const;

/** `flavr interpolate`: the main job. */
export const interpolate = defineCommand({
  name: 'interpolate',
  summary: 'make a video smoother, raise its rate, or slow it down',
  positionals: ['IN'],
  options: OPTIONS,
  example: 'flavr interpolate holiday.mp4 -o smooth.mp4 -k 2',
  run,
});

async function run(context: CommandContext<typeof OPTIONS>): Promise<VideoSummary> {
  const { options } = context;
  const line = new ProgressLine(process.stderr);
  try {
    const summary = await interpolateVideo(context.positionals[0]!, options.output, {
      k: integerOption('-k', options.k, 1, 4096),
      fps: rateOption('--fps', options.fps),
      slow: integerOption('--slow', options.slow, 1, 4096),
      audio: choiceOption('--audio', options.audio, ['drop', 'stretch']),
      ...readRunOptions(options),
      engine: options.engine,
      codec: options.codec,
      crf: numberOption('--crf', options.crf, 0, 63),
      encoderOptions: keyValueOption('--encoder-option', options['encoder-option']),
      sceneThreshold: thresholdOption('--scene-threshold', options['scene-threshold']),
      start: timeOption('--start', options.start),
      duration: timeOption('--duration', options.duration),
      inputFps: rateOption('--input-fps', options['input-fps']),
      deinterlace: options.deinterlace,
      force8bit: options['force-8bit'],
      overwrite: options.overwrite,
      yieldToModel: true,
      signal: context.signal,
      onProgress: (progress) => line.update(progress),
      onPrepare: (progress) => line.stage(progress),
      onWarning: (warning) => {
        line.clear();
        context.note(`flavr: warning: ${warning}`);
      },
    });
    line.clear();
    for (const text of summaryLines(summary)) context.print(text);
    return summary;
  } finally {
    line.clear();
  }
}

/** The closing lines of a run, for people. */
export function summaryLines(summary: VideoSummary): string[] {
  const { framesIn, framesOut, cuts, windows, seconds } = summary;
  const duration = toNumber(summary.duration).toFixed(2);
  return [
    `${summary.output}: ${count(framesOut, 'frame')} from ${framesIn}, ${summary.width}x${summary.height}, ${duration} s`,
    `${count(windows, 'window')} of ${summary.model} on ${summary.backend} in ${seconds.toFixed(1)} s (${(framesOut / seconds).toFixed(1)} frames/s)`,
    timingsLine(summary.timings),
    cuts.length === 0 ? 'no cuts' : `${count(cuts.length, 'cut')} at ${cuts.map(startingTime).join(', ')} s`,
  ];
}

/** Rounded down, so that a video that is taken from there (--start) begins with that very frame. */
const startingTime = ({ num, den }: Rational): string => (Number((num * 1000n) / den) / 1000).toFixed(3);

function timingsLine({ model, ...timings }: VideoTimings): string {
  const stages: [string, StageTiming][] = [
    ['decode', timings.decode],
    ['to RGB', timings.convertIn],
    ['cut search', timings.detectCuts],
    ['from RGB', timings.convertOut],
    ['encode', timings.encode],
    ['write', timings.write],
  ];
  const beside = stages.map(([name, { msEach }]) => `${name} ${msEach.toFixed(1)}`).join(', ');
  return `model ${model.msEach.toFixed(1)} ms a window, ${Math.round(100 * model.share)} % of the time; beside it, in ms a frame: ${beside}`;
}

const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;
