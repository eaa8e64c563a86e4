import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rational } from '../../ts/rational.js';
import { openSink } from '../../ts/video/sink.js';
import {
  byTime,
  decodeVideo,
  demux,
  evenTimes,
  seconds,
  sinkOptions,
  videoInfo,
  withFolder,
  writeFrames,
} from './sink-helper.js';

test('writes every frame at its exact time, the last with its own duration', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.mp4');
    const rate = rational(60000, 1001);
    const sink = await openSink(path, sinkOptions({ frameRate: rate }));
    const times = evenTimes(61, rate);
    await writeFrames(sink, videoInfo(), times, rational(1001, 30000));
    await sink.finish();
    const file = await demux(path);
    const packets = byTime(file.video.packets);
    assert.equal(
      packets.map(({ pts }) => seconds(pts)),
      times.map(seconds),
    );
    const { duration, timeBase } = file.video.stream;
    assert.is(seconds(rational(duration * BigInt(timeBase.num), timeBase.den)), seconds(rational(62 * 1001, 60000)));
    assert.is(file.input.startTime, 0n);
    await file.close();
    assert.is((await decodeVideo(path)).length, 61);
  }));

test.run();
