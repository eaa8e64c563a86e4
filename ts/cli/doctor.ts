import { diagnose, formatDiagnosis } from '../doctor.js';
import { defineCommand } from './command.js';

export const doctor = defineCommand({
  name: 'doctor',
  summary: 'say what this machine can run, and how to fix what it cannot',
  positionals: [],
  options: {
    'cache-dir': { type: 'string', value: 'DIR', help: "where engines are kept (default: the user's cache folder)" },
  },
  example: 'flavr doctor',
  async run({ options, print }) {
    const diagnosis = await diagnose({ cacheDir: options['cache-dir'] });
    for (const line of formatDiagnosis(diagnosis)) print(line);
    return diagnosis;
  },
});
