import { DEFAULT_MODEL } from '../model/bundled.js';
import type { OptionSpecs, OptionValues } from './command.js';
import { BACKENDS, choiceOption, integerOption, PRECISIONS } from './values.js';

/** What every command that runs a model can be told of model and machine. */
export const RUN_OPTIONS = {
  model: {
    type: 'string',
    value: 'M',
    help: `a bundled model or a checkpoint: .pth, .pt, .safetensors, .onnx (default: ${DEFAULT_MODEL}; where -k says more, the bundled one with the fewest passes)`,
  },
  backend: { type: 'string', value: 'NAME', help: 'auto, tensorrt, tensorrt-rtx or cpu (default: auto)' },
  device: { type: 'string', value: 'N', help: 'which GPU (default: 0)' },
  precision: { type: 'string', value: 'P', help: 'fp16, fp32, tf32 or int8 (default: fp16 on a GPU, fp32 on the CPU)' },
  calibration: { type: 'string', value: 'FILE', help: 'for int8: what flavr calibrate wrote' },
  threads: { type: 'string', value: 'N', help: 'threads of the CPU backend (default: all cores)' },
} as const satisfies OptionSpecs;

/** Reads them; what was not given is undefined, for the API to decide. */
export function readRunOptions(options: OptionValues<typeof RUN_OPTIONS>) {
  return {
    model: options.model,
    backend: choiceOption('--backend', options.backend, BACKENDS),
    device: integerOption('--device', options.device, 0, 255),
    precision: choiceOption('--precision', options.precision, PRECISIONS),
    calibration: options.calibration,
    threads: integerOption('--threads', options.threads, 1, 1024),
  };
}
