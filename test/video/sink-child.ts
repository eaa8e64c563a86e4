// Run by a test in a process of its own: `sink-child.js PATH exit|fill`.
import { readdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import { FlavrError } from '../../ts/errors.js';
import { rational } from '../../ts/rational.js';
import { openSink } from '../../ts/video/sink.js';
import { sinkOptions, videoInfo } from './sink-helper.js';

const [path, mode] = process.argv.slice(2);
const info = videoInfo({ width: 320, height: 240 });
const sink = await openSink(path!, sinkOptions({ info }));
// Noise, which no encoder makes small.
const noise = (n: number) => Uint8Array.from({ length: 320 * 240 * 3 }, (_, i) => ((i + n) * 2654435761) >>> 13);
try {
  for (let n = 0; n < (mode === 'exit' ? 3 : 100); n += 1) {
    await sink.write({ data: noise(n), alpha: undefined, time: rational(n, 25), duration: rational(1, 25) });
  }
  if (mode === 'exit') {
    console.log((await readdir(dirname(path!))).join('\n'));
    process.exit(0);
  }
  await sink.finish();
} catch (error) {
  console.log(error instanceof FlavrError ? `${error.code}: ${error.message}` : String(error));
}
