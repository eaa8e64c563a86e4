import { writeFile } from 'node:fs/promises';
import { buildEngine } from '../engine/build.js';
import { engineParts } from '../engine/file.js';
import { FlavrError } from '../errors.js';
import { DEFAULT_MODEL, defaultModel } from '../model/bundled.js';
import { OutputFile, refuseSameFile, unwritable } from '../video/output-file.js';
import { defineCommand } from './command.js';
import { ProgressLine } from './progress.js';
import { choiceOption, integerOption, PRECISIONS, sizeOption } from './values.js';

const MOST_BATCH = 64;

export const build = defineCommand({
  name: 'build',
  summary: 'build a TensorRT engine ahead of time',
  positionals: [],
  options: {
    model: {
      type: 'string',
      value: 'M',
      help: `a bundled model, or a checkpoint or graph (default: ${DEFAULT_MODEL}; with -k, the bundled one for it)`,
    },
    size: { type: 'string', value: 'WxH', required: true, help: 'size of the frames' },
    backend: {
      type: 'string',
      value: 'NAME',
      required: true,
      help: 'tensorrt (on the GPU that will run it) or tensorrt-rtx (needs no GPU)',
    },
    output: { type: 'string', short: 'o', value: 'FILE', required: true, help: 'the engine file to write' },
    k: { type: 'string', short: 'k', value: 'N', help: "factor of one pass (default: the model's)" },
    batch: { type: 'string', value: 'B', help: 'windows in one run (default: 1)' },
    precision: { type: 'string', value: 'P', help: 'fp16 (default), fp32 or tf32' },
    lowering: { type: 'string', value: '3d|2d', help: 'the form of the convolutions (default: 3d)' },
    'compute-capability': {
      type: 'string',
      value: 'LIST',
      help: 'tensorrt-rtx: the GPUs to build for, such as 8.9,12.0 (default: all from 8.0 up)',
    },
    device: { type: 'string', value: 'N', help: 'tensorrt: the GPU to build on (default: 0)' },
    'workspace-mib': { type: 'string', value: 'MIB', help: 'most scratch memory of one layer (default: no limit)' },
    'optimization-level': { type: 'string', value: '0-5', help: 'how long the builder searches (default: 3)' },
    tensorrt: { type: 'string', value: 'PATH', help: 'the TensorRT library, or a folder with it (default: searched)' },
    overwrite: { type: 'boolean', help: 'replace an existing file' },
  },
  example: 'flavr build --size 1280x720 --backend tensorrt-rtx -o flavr-720p.engine',
  async run({ options, signal, print, note }) {
    const output = options.output;
    const backend = choiceOption('--backend', options.backend, ['tensorrt', 'tensorrt-rtx'])!;
    const mib = integerOption('--workspace-mib', options['workspace-mib'], 1, 1 << 20);
    const request = {
      backend,
      ...sizeOption('--size', options.size),
      factor: integerOption('-k', options.k, 2, 64),
      batch: integerOption('--batch', options.batch, 1, MOST_BATCH),
      precision: choiceOption('--precision', options.precision, PRECISIONS),
      lowering: choiceOption('--lowering', options.lowering, ['3d', '2d']),
      computeCapabilities: options['compute-capability']?.split(','),
      device: integerOption('--device', options.device, 0, 1023),
      workspaceBytes: mib === undefined ? undefined : mib * 2 ** 20,
      optimizationLevel: integerOption('--optimization-level', options['optimization-level'], 0, 5),
      tensorrtPath: options.tensorrt,
    };
    if (backend === 'tensorrt-rtx' && request.device !== undefined) {
      throw new FlavrError('BAD_ARGUMENT', '--device is for tensorrt; with tensorrt-rtx give --compute-capability.');
    }
    await refuseSameFile({ '--model': options.model, '--output': output });
    const file = await OutputFile.create(output, options.overwrite ?? false);
    const line = new ProgressLine(process.stderr);
    try {
      const engine = await buildEngine(options.model ?? defaultModel(request.factor), {
        ...request,
        signal,
        onNotice: (sentence) => {
          line.clear();
          note(`flavr: warning: ${sentence}`);
        },
        onProgress: (progress) => line.stage(progress),
      }).finally(() => line.clear());
      await writeFile(file.temporary, engineParts(engine)).catch((error) => {
        throw unwritable(output, error);
      });
      await file.commit();
      const { header, plan } = engine;
      print(`${output}: ${header.family} ${header.version}, ${(plan.byteLength / 1e6).toFixed(1)} MB`);
      return { output, planBytes: plan.byteLength, ...header };
    } catch (error) {
      await file.discard();
      throw error;
    }
  },
});
