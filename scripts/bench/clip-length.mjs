// Peak memory of the main job for a clip and for one ten times as long, each in a process of its own.
// Usage: npm run build && node scripts/bench/clip-length.mjs
import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const WIDTH = 320;
const HEIGHT = 180;
// Four seconds. Shorter clips end before the collector has first run: memory is the same from here on, however long.
const FRAMES = 100;

/** A y4m file: a bright square that circles over a gradient. */
function writeClip(path, frames) {
  const file = openSync(path, 'w');
  writeSync(file, `YUV4MPEG2 W${WIDTH} H${HEIGHT} F25:1 Ip A1:1 C420jpeg\n`);
  const luma = Buffer.alloc(WIDTH * HEIGHT);
  const chroma = Buffer.alloc((WIDTH * HEIGHT) / 2, 128);
  for (let n = 0; n < frames; n++) {
    const left = Math.round(140 + 100 * Math.cos(n / 8));
    const top = Math.round(75 + 50 * Math.sin(n / 8));
    for (let y = 0; y < HEIGHT; y++) {
      for (let x = 0; x < WIDTH; x++) {
        const inside = x >= left && x < left + 40 && y >= top && y < top + 30;
        luma[y * WIDTH + x] = inside ? 230 : 40 + ((x + y) % 160);
      }
    }
    writeSync(file, 'FRAME\n');
    writeSync(file, luma);
    writeSync(file, chroma);
  }
  closeSync(file);
}

// Peaks of the job's process and of the one that runs the model, from the kernel's own account of each.
const JOB = `
  import { readdirSync, readFileSync } from 'node:fs';
  import { interpolateVideo } from 'flavr/video';
  const [input, output] = process.argv.slice(1);
  const peaks = new Map();
  const field = (pid, name) => Number(readFileSync('/proc/' + pid + '/status', 'utf8').match(name)[1]);
  const watch = () => {
    for (const pid of readdirSync('/proc').filter((name) => /^[0-9]+$/.test(name))) {
      try {
        if (Number(pid) === process.pid || field(pid, /PPid:\\s+([0-9]+)/) === process.pid) {
          peaks.set(pid, field(pid, /VmHWM:\\s+([0-9]+)/));
        }
      } catch {} // It ended meanwhile.
    }
  };
  const timer = setInterval(watch, 100);
  const { framesOut } = await interpolateVideo(input, output, { k: 2 });
  clearInterval(timer);
  watch();
  console.log(JSON.stringify({ framesOut, kilobytes: [...peaks.values()].reduce((a, b) => a + b) }));
`;

const folder = mkdtempSync(join(tmpdir(), 'flavr-length-'));
try {
  const [short, long] = [FRAMES, FRAMES * 10].map((frames) => {
    const input = join(folder, `${frames}.y4m`);
    writeClip(input, frames);
    const words = ['--input-type=module', '-e', JOB, input, join(folder, `${frames}.mp4`)];
    const run = JSON.parse(execFileSync(process.execPath, words, { encoding: 'utf8' }));
    const megabytes = run.kilobytes / 1024;
    console.log(`${frames} frames in, ${run.framesOut} out: peak ${megabytes.toFixed(0)} MiB`);
    return megabytes;
  });
  console.log(`ratio ${(long / short).toFixed(3)} (goal: at most 1.10)`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
