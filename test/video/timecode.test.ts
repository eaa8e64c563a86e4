import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Rational, rational, ZERO } from '../../ts/rational.js';
import { openSink } from '../../ts/video/sink.js';
import { moveTimecode } from '../../ts/video/timecode.js';
import type { SinkOptions } from '../../ts/video/types.js';
import { makeVideo } from './make-video.js';
import { demux, evenTimes, sinkOptions, videoInfo, withFolder, writeFrames } from './sink-helper.js';

const FILM = rational(24000, 1001);
const NTSC = rational(30000, 1001);
const times = (rate: Rational, k: bigint) => rational(rate.num * k, rate.den);
const stays = (text: string, rate: Rational) => moveTimecode(text, ZERO, rate, rate);

test('without a change it stays', () => {
  assert.is(stays('14:23:10:05', rational(25)), '14:23:10:05');
  assert.is(stays('00:59:59;29', NTSC), '00:59:59;29');
  assert.is(stays('23:59:59:23', FILM), '23:59:59:23');
});

test('it goes on by the frames that are left out, over midnight, too', () => {
  assert.is(moveTimecode('14:23:10:05', rational(255), rational(25), rational(25)), '14:23:20:10');
  assert.is(moveTimecode('23:59:59:20', rational(10), rational(24), rational(24)), '00:00:00:06');
});

test('a frame has the number of its time at a multiple of the rate', () => {
  assert.is(moveTimecode('01:00:00:12', ZERO, FILM, times(FILM, 2n)), '01:00:00:24');
  assert.is(moveTimecode('01:00:00:12', ZERO, FILM, rational(60)), '01:00:00:30');
  assert.is(moveTimecode('00:01:00;02', ZERO, NTSC, times(NTSC, 2n)), '00:01:00;04');
});

test('with dropped numbers, every minute leaves two out but each tenth', () => {
  const one = rational(1);
  assert.is(moveTimecode('00:00:59;29', one, NTSC, NTSC), '00:01:00;02');
  assert.is(moveTimecode('00:09:59;29', one, NTSC, NTSC), '00:10:00;00');
  assert.is(moveTimecode('00:10:59;29', one, NTSC, NTSC), '00:11:00;02');
  assert.is(moveTimecode('00:00:00;00', rational(107_892), NTSC, NTSC), '01:00:00;00');
});

test('where the new rate drops no numbers, it is the same time', () => {
  assert.is(moveTimecode('01:00:00;00', ZERO, NTSC, rational(50)), '01:00:00:00');
  assert.is(moveTimecode('10:00:30;15', ZERO, NTSC, rational(24)), '10:00:30:12');
});

test('what is no timecode at this rate is none', () => {
  assert.is(stays('yesterday', rational(25)), undefined);
  assert.is(stays('01:00:00:25', rational(25)), undefined);
  assert.is(stays('01:00:00;00', rational(25)), undefined);
  assert.is(moveTimecode('01:00:00:00', ZERO, rational(25), rational(1, 4)), undefined);
});

async function written(folder: string, changes: Partial<SinkOptions>) {
  const source = await makeVideo(join(folder, 'in.mov'), { frames: 10, metadata: { timecode: '10:00:00:20' } });
  const path = join(folder, 'out.mov');
  const sink = await openSink(path, sinkOptions({ copyFrom: source, overwrite: true, ...changes }));
  await writeFrames(sink, videoInfo(), evenTimes(3, rational(25), changes.range?.start), rational(1, 25));
  await sink.finish();
  const file = await demux(path);
  const { timecode } = file.video.metadata;
  await file.close();
  return { timecode, warnings: sink.warnings };
}

test('a file begins with the timecode of its first frame', () =>
  withFolder(async (folder) => {
    const range = { start: rational(1, 5), end: undefined };
    assert.equal(await written(folder, { range }), { timecode: '10:00:01:00', warnings: [] });
    assert.equal(await written(folder, { frameRate: rational(50) }), { timecode: '10:00:00:40', warnings: [] });
  }));

test('a timecode that is left out is told', () =>
  withFolder(async (folder) => {
    const { timecode, warnings } = await written(folder, { frameRate: rational(1, 4) });
    assert.is(timecode, undefined);
    assert.match(warnings.join(' '), /timecode 10:00:00:20 is left out/);
  }));

test.run();
