import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { buildGraph } from '../../../dist/model/graph/build.js';

// One call is over too soon to be timed by a process that starts for it.
const CALLS = 20;
const run = promisify(execFile);

/** TensorRT's own program on the framed graph that we write for it; it makes its own inputs, so its output is not compared. */
export async function openTrtexec({ model, width, height, folder }) {
  const [graph, engine] = ['trtexec.onnx', 'trtexec.engine'].map((name) => join(folder, name));
  const help = await trtexec('--help');
  const { bytes } = buildGraph(model, { width, height, precision: 'fp16', form: 'framed' });
  await writeFile(graph, bytes);
  // TensorRT 11 knows no other networks, and no such option.
  const typed = help.includes('--stronglyTyped') ? ['--stronglyTyped'] : [];
  await trtexec(`--onnx=${graph}`, `--saveEngine=${engine}`, '--skipInference', ...typed);
  const words = [
    `--loadEngine=${engine}`,
    `--iterations=${CALLS}`,
    '--duration=0',
    '--noDataTransfers',
    '--useSpinWait',
  ];
  return {
    async run() {
      const said = await trtexec(...words);
      const median = /GPU Compute Time:.*median = ([\d.]+) ms/.exec(said);
      if (!median) throw new Error('trtexec printed no median of its GPU compute time');
      return Number(median[1]);
    },
  };
}

async function trtexec(...words) {
  try {
    return (await run('trtexec', words, { maxBuffer: 64 * 2 ** 20 })).stdout;
  } catch (error) {
    if (error.code === 'ENOENT') throw new Error('trtexec is not on PATH');
    throw new Error(
      `trtexec failed: ${String(error.stderr ?? error.message)
        .trim()
        .split('\n')
        .at(-1)}`,
    );
  }
}
