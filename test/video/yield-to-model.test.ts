import { readdirSync } from 'node:fs';
import { getPriority } from 'node:os';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { interpolateVideo } from '../../ts/video/index.js';
import { temporaryFolder } from './make-video.js';

const CLIP = 'test/fixtures/video/bunny-cut.mp4';
const folder = temporaryFolder();

/** Priorities of all threads but the first. */
const others = (): number[] =>
  readdirSync('/proc/self/task')
    .map(Number)
    .filter((thread) => thread !== process.pid)
    .flatMap((thread) => {
      try {
        return [getPriority(thread)];
      } catch {
        return []; // It ended meanwhile.
      }
    });

const name = 'decoding and encoding make way for the model only where that is asked for';
if (process.platform !== 'linux') console.log(`SKIPPED ${name}: threads have priorities of their own on Linux only`);
else {
  test(name, async () => {
    const first = getPriority(process.pid);
    let seen: number[] = [];
    const run = (yieldToModel?: boolean) =>
      interpolateVideo(CLIP, `${folder}/out.mp4`, {
        ...{ yieldToModel, overwrite: true, duration: '1/12' },
        onProgress: () => {
          seen = others();
        },
      });
    await run();
    assert.ok(seen.length > 4 && seen.every((priority) => priority === first), `${seen}`);
    await run(true);
    assert.ok(seen.length > 4 && seen.every((priority) => priority === 19), `${seen}`);
    assert.is(getPriority(process.pid), first);
  });
}

test.run();
