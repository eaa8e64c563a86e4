import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { summaryLines } from '../../ts/cli/interpolate.js';
import { rational } from '../../ts/rational.js';
import type { VideoSummary } from '../../ts/video/index.js';

const STAGE = { count: 1, totalMs: 1, msEach: 1, share: 0.1 };

test('a printed cut is never behind its frame, so that --start begins with it', () => {
  const timings = { decode: STAGE, convertIn: STAGE, detectCuts: STAGE, model: STAGE, convertOut: STAGE };
  const summary: VideoSummary = {
    ...{ input: 'in.mp4', output: 'out.mp4', width: 64, height: 48, framesIn: 100, framesOut: 199 },
    duration: rational(4),
    cuts: [rational(1, 2), rational(2, 3), rational(20_020, 30_000)],
    warnings: [],
    ...{ model: 'mini-2x', backend: 'cpu', windows: 99, seconds: 2 },
    timings: { ...timings, encode: STAGE, write: STAGE, totalMs: 1 },
  };
  assert.match(summaryLines(summary).join('\n'), /^3 cuts at 0\.500, 0\.666, 0\.667 s$/m);
});

test.run();
