import { basename } from 'node:path';
import { explainWindow, type GateExplanation, loadGatedModel } from '../evaluate/explain.js';
import { gateRow, isExplanationFile, writeExplanation } from '../evaluate/explain-pages.js';
import { windowAt } from '../evaluate/window-at.js';
import { DEFAULT_MODEL } from '../model/bundled.js';
import { unwritable } from '../video/output-file.js';
import { OutputFolder } from '../video/output-folder.js';
import { defineCommand } from './command.js';
import { integerOption, timeOption } from './values.js';

export const explain = defineCommand({
  name: 'explain',
  summary: "show what the network's gates look at in one window of a video",
  positionals: ['IN'],
  options: {
    at: { type: 'string', value: 'T', required: true, help: 'the gap at this time: 12.5 or 1:02.5' },
    output: {
      type: 'string',
      short: 'o',
      value: 'DIR',
      required: true,
      help: 'the folder to write: PNG files and index.html',
    },
    model: { type: 'string', value: 'M', help: `a bundled model or a checkpoint (default: ${DEFAULT_MODEL})` },
    threads: { type: 'string', value: 'N', help: 'threads to run on (default: all cores)' },
    overwrite: { type: 'boolean', help: 'replace an existing explanation' },
  },
  example: 'flavr explain holiday.mp4 --at 12.5 -o gates',
  async run({ positionals, options, signal, print }) {
    const path = options.output;
    const at = timeOption('--at', options.at)!;
    const threads = integerOption('--threads', options.threads, 1, 1024);
    const folder = await OutputFolder.create(path, options.overwrite ?? false, isExplanationFile);
    try {
      const model = await loadGatedModel(options.model ?? DEFAULT_MODEL);
      const window = await windowAt(positionals[0]!, at, model.config.inputs, signal);
      const explanation = await explainWindow(model, window.frames, { threads, signal });
      const video = basename(positionals[0]!);
      const files = await writeExplanation(explanation, window, video, folder.temporary).catch((error) => {
        throw unwritable(path, error);
      });
      await folder.commit();
      print(`${path}: ${files.length} files; open index.html`);
      const rows = [['stage', 'channels', 'smallest', 'mean', 'largest'], ...explanation.gates.map(gateRow)];
      for (const row of rows) print(`  ${row.map((cell) => cell.padEnd(10)).join('')}`.trimEnd());
      return { path, model: model.name, times: window.times, gates: explanation.gates as GateExplanation[], files };
    } catch (error) {
      await folder.discard();
      throw error;
    }
  },
});
