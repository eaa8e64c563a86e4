import { inspectModel } from '../model/inspect.js';
import { defineCommand } from './command.js';
import { formatInspection } from './inspection.js';
import { choiceOption, sizeOption } from './values.js';

export const inspect = defineCommand({
  name: 'inspect',
  summary: 'say what a checkpoint, graph or engine is, and what decided it',
  positionals: ['FILE'],
  options: {
    size: { type: 'string', value: 'WxH', help: 'size of the frames to estimate cost for (default: 512x512)' },
    fusion: { type: 'string', value: 'concat|add|none', help: 'how skips are joined, where the file does not tell' },
    temporal: {
      type: 'string',
      value: 'none|stride|pool',
      help: 'how time is shortened, where the file does not tell',
    },
    residual: {
      type: 'string',
      value: 'mean|blend',
      help: 'what is added to the output, where the file does not tell',
    },
  },
  example: 'flavr inspect FLAVR_2x.pth --size 1280x720',
  async run({ positionals, options, print }) {
    const inspection = await inspectModel(positionals[0]!, {
      ...(options.size === undefined ? {} : sizeOption('--size', options.size)),
      fusion: choiceOption('--fusion', options.fusion, ['concat', 'add', 'none']),
      temporal: choiceOption('--temporal', options.temporal, ['none', 'stride', 'pool']),
      residual: choiceOption('--residual', options.residual, ['mean', 'blend']),
    });
    for (const line of formatInspection(inspection)) print(line);
    return inspection;
  },
});
