import { BUNDLED_MODELS, bundledPath, DEFAULT_MODEL, openBundled } from '../model/bundled.js';
import { defineCommand } from './command.js';

export const models = defineCommand({
  name: 'models',
  summary: 'list the bundled models and check their files',
  positionals: [],
  options: {},
  example: 'flavr models',
  async run({ print }) {
    const listed = [];
    for (const model of BUNDLED_MODELS) {
      const { size } = await openBundled(model);
      const { name, summary, factor, parameters, sha256, licence } = model;
      listed.push({ ...model, default: name === DEFAULT_MODEL, bytes: size, path: bundledPath(model) });
      print(`${name}${name === DEFAULT_MODEL ? ' (default)' : ''}: ${summary}`);
      print(
        `  factor ${factor}, ${parameters.toLocaleString('en')} parameters, ${(size / 1e6).toFixed(1)} MB, licence ${licence}`,
      );
      print(`  SHA-256 ${sha256} (checked)`);
    }
    return { models: listed };
  },
});
