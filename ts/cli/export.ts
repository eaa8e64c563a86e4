import { writeFile } from 'node:fs/promises';
import { DEFAULT_MODEL, defaultModel } from '../model/bundled.js';
import { measuredModel, readCalibration, requestedModel } from '../model/calibration.js';
import { exportOnnx } from '../model/export.js';
import { LOWERINGS } from '../model/graph-spec.js';
import { loadModel } from '../model/load.js';
import { OutputFile, refuseSameFile, unwritable } from '../video/output-file.js';
import { defineCommand } from './command.js';
import { choiceOption, integerOption, sizeOption } from './values.js';

export const exportGraph = defineCommand({
  name: 'export',
  summary: 'write a model as an ONNX graph for one frame size',
  positionals: [],
  options: {
    model: {
      type: 'string',
      value: 'M',
      help: `a bundled model or a file (default: ${DEFAULT_MODEL}; with -k or --calibration, the bundled one for it)`,
    },
    size: { type: 'string', value: 'WxH', required: true, help: 'size of the frames in pixels' },
    k: { type: 'string', short: 'k', value: 'N', help: "the factor, a divisor of the model's (default: the model's)" },
    batch: { type: 'string', value: 'B', help: 'windows in one run (default: 1)' },
    precision: { type: 'string', value: 'fp32|fp16|int8', help: 'of the convolutions (default: fp32)' },
    calibration: { type: 'string', value: 'FILE', help: 'for int8: what flavr calibrate wrote' },
    lowering: {
      type: 'string',
      value: LOWERINGS.join('|'),
      help: '3-D convolutions, sums of 2-D ones, or fewer of those for a CPU (default: 3d; of int8, 2d)',
    },
    raw: { type: 'boolean', help: 'one float window in, float frames out, unclamped; the size must divide by 8' },
    fusion: { type: 'string', value: 'concat|add|none', help: 'how skips are joined, where the file does not tell' },
    output: { type: 'string', short: 'o', value: 'X.onnx', required: true, help: 'the file to write' },
    overwrite: { type: 'boolean', help: 'replace an existing file' },
  },
  example: 'flavr export --model mini-2x --size 640x360 -o mini-2x.onnx',
  async run({ options, print }) {
    const path = options.output;
    const size = sizeOption('--size', options.size);
    const k = integerOption('--k', options.k, 2, 64);
    const batch = integerOption('--batch', options.batch, 1, 64);
    const precision = choiceOption('--precision', options.precision, ['fp32', 'fp16', 'int8']);
    const lowering = choiceOption('--lowering', options.lowering, LOWERINGS);
    const fusion = choiceOption('--fusion', options.fusion, ['concat', 'add', 'none']);

    await refuseSameFile({ '--model': options.model, '--calibration': options.calibration, '--output': path });
    const file = await OutputFile.create(path, options.overwrite ?? false);
    try {
      const calibration = options.calibration === undefined ? undefined : await readCalibration(options.calibration);
      const loaded = await loadModel(options.model ?? measuredModel(calibration) ?? defaultModel(k), { fusion });
      const model = await requestedModel({ model: loaded, precision, calibration });
      const { bytes, spec, inputs, frameStride, estimate } = await exportOnnx(model, {
        ...size,
        ...{ factor: k, batch, precision, lowering },
        form: options.raw ? 'raw' : 'framed',
      });
      await writeFile(file.temporary, bytes).catch((error) => {
        throw unwritable(path, error);
      });
      await file.commit();
      // What is left out is for sessions, which make their graphs for one processor.
      const { fed: _fed, block: _block, ...written } = spec;
      print(
        `${path}: ${model.name}, ${spec.form}, ${size.width}x${size.height}, k = ${spec.factor}, ${spec.precision}, ${spec.lowering}`,
      );
      print(`  inputs ${inputs.join(', ')}; ${(bytes.length / 1e6).toFixed(1)} MB`);
      return { path, model: model.name, bytes: bytes.length, spec: written, inputs, frameStride, estimate };
    } catch (error) {
      await file.discard();
      throw error;
    }
  },
});
