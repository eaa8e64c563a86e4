import { writeFile } from 'node:fs/promises';
import { FlavrError } from '../errors.js';
import { calibrate as measure } from '../evaluate/calibrate.js';
import type { BytePicture } from '../evaluate/prepare.js';
import { windowAt } from '../evaluate/window-at.js';
import { DEFAULT_MODEL } from '../model/bundled.js';
import { encodeCalibration } from '../model/calibration.js';
import { modelInputs } from '../model/config.js';
import { loadModel } from '../model/load.js';
import { multiply, type Rational, rational } from '../rational.js';
import { OutputFile, refuseSameFile, unwritable } from '../video/output-file.js';
import { openSource } from '../video/source.js';
import { defineCommand } from './command.js';
import { ProgressLine } from './progress.js';
import { integerOption } from './values.js';

const WINDOWS = 16;

export const calibrate = defineCommand({
  name: 'calibrate',
  summary: 'measure, on your own video, what --precision int8 needs',
  positionals: ['IN'],
  options: {
    output: {
      type: 'string',
      short: 'o',
      value: 'FILE',
      required: true,
      help: 'the calibration to write, a small JSON file',
    },
    model: { type: 'string', value: 'M', help: `a bundled model or a checkpoint (default: ${DEFAULT_MODEL})` },
    windows: {
      type: 'string',
      value: 'N',
      help: `places of the video to look at, evenly spread (default: ${WINDOWS})`,
    },
    threads: { type: 'string', value: 'N', help: 'threads to run on (default: all cores)' },
    overwrite: { type: 'boolean', help: 'replace an existing file' },
  },
  example: 'flavr calibrate holiday.mp4 -o holiday.json',
  async run({ positionals, options, signal, print }) {
    const path = options.output;
    const count = integerOption('--windows', options.windows, 1, 4096) ?? WINDOWS;
    const threads = integerOption('--threads', options.threads, 1, 1024);
    await refuseSameFile({ IN: positionals[0], '--model': options.model, '--output': path });
    const file = await OutputFile.create(path, options.overwrite ?? false);
    const line = new ProgressLine(process.stderr);
    try {
      const model = await loadModel(options.model ?? DEFAULT_MODEL);
      const calibration = await measure(model, spreadWindows(positionals[0]!, count, modelInputs(model), signal), {
        threads,
        signal,
        onProgress: (windows) => line.show(`window ${windows} of ${count}`),
      });
      line.clear();
      await writeFile(file.temporary, encodeCalibration(calibration)).catch((error) => {
        throw unwritable(path, error);
      });
      await file.commit();
      const { windows, ranges } = calibration;
      print(
        `${path}: ${ranges.size} activations of ${model.name}, measured on ${windows} window${windows === 1 ? '' : 's'}`,
      );
      return { path, model: model.name, windows, activations: ranges.size };
    } catch (error) {
      await file.discard();
      throw error;
    } finally {
      line.clear();
    }
  },
});

/** Windows at equal distances; where a cut lies, or the frames end before the stated duration, there is none. */
async function* spreadWindows(
  path: string,
  count: number,
  inputs: number,
  signal: AbortSignal,
): AsyncGenerator<readonly BytePicture[]> {
  const duration = await durationOf(path, signal);
  for (let i = 0; i < count; i++) {
    try {
      yield (await windowAt(path, multiply(duration, rational(2 * i + 1, 2 * count)), inputs, signal)).frames;
    } catch (error) {
      if (!(error instanceof FlavrError && error.code === 'BAD_ARGUMENT')) throw error;
    }
  }
}

async function durationOf(path: string, signal: AbortSignal): Promise<Rational> {
  const source = await openSource(path, { signal });
  await source.close();
  const { duration } = source.info;
  if (duration) return duration;
  throw new FlavrError(
    'VIDEO_UNSUPPORTED',
    `${path} does not state how long it lasts; copy it into a container that does.`,
  );
}
