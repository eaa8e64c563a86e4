import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rational, toNumber } from '../../ts/rational.js';
import { openSink } from '../../ts/video/sink.js';
import { openSource } from '../../ts/video/source.js';
import { SteadyClock } from '../../ts/video/steady-clock.js';
import { buildSource } from './build-source.js';
import { byTime, demux, sinkOptions, withFolder } from './sink-helper.js';

const [PICTURES, SOUND] = [0, 1];

/** What becomes of packets, each told as its stream, time and length in milliseconds. */
function steady(packets: readonly (readonly [stream: number, time: number, length: number])[]): number[] {
  const clock = new SteadyClock();
  const ms = (value: number) => rational(value, 1000);
  return packets.map(([stream, time, length]) =>
    Math.round(time + 1000 * toNumber(clock.shift(stream, ms(time), ms(length)))),
  );
}

test('a clock that is set back goes on from the end of the part before, as often as it is', () => {
  const part = [500, 600, 700].map((time) => [PICTURES, time, 100] as const);
  assert.equal(steady([...part, ...part, ...part]), [500, 600, 700, 800, 900, 1000, 1100, 1200, 1300]);
});

test('the stream that comes to a part first decides for all, whenever the others come to it', () => {
  const packets = [
    [PICTURES, 900, 100],
    [SOUND, 900, 80],
    [PICTURES, 0, 100],
    [SOUND, 980, 50],
    [SOUND, 10, 80],
    [PICTURES, 100, 100],
  ] as const;
  assert.equal(steady(packets), [900, 900, 1000, 980, 1010, 1100]);
});

test('where no length is stated, the latest distance stands for it', () => {
  assert.equal(steady([1000, 1050, 0, 50].map((time) => [PICTURES, time, 0])), [1000, 1050, 1100, 1150]);
});

test('times that go back by little, and gaps, stay as they are', () => {
  const times = [0, 40, 20, 60, 20_000];
  assert.equal(steady(times.map((time) => [PICTURES, time, 40])), times);
});

for (const [extension, muxer, encoder] of [
  ['ts', 'mpegts', 'aac'],
  ['vob', 'mpeg', 'mp2'],
] as const) {
  test(`of .${extension} files joined byte by byte, sound and pictures go on together`, () =>
    withFolder(async (folder) => {
      const [once, twice, output] = [`once.${extension}`, `twice.${extension}`, 'out.mkv'].map((n) => join(folder, n));
      await buildSource(once!, { muxer, audio: [{ encoder }] });
      const bytes = readFileSync(once!);
      writeFileSync(twice!, Buffer.concat([bytes, bytes]));
      const source = await openSource(twice!);
      const { info } = source;
      const sink = await openSink(output!, sinkOptions({ info, copyFrom: twice!, timeBase: info.timeBase }));
      for await (const frame of source.frames()) await sink.write(frame);
      await sink.finish();
      await source.close();
      assert.ok(source.warnings.some((text) => /clock of .* is set back/.test(text)));
      const [before, after] = [await demux(once!), await demux(output!)];
      assert.is(after.video.packets.length, 100);
      for (const type of ['audio', 'video']) {
        const count = before.of(type)[0]!.packets.length;
        const times = byTime(after.of(type)[0]!.packets).map(({ pts }) => toNumber(pts));
        assert.is(times.length, 2 * count);
        for (const [n, time] of times.slice(count).entries()) {
          const later = time - times[n]!;
          assert.ok(Math.abs(later - 2) < 0.06, `${type} packet ${n} comes again after ${later} s`);
        }
      }
      await Promise.all([before.close(), after.close()]);
    }));
}

test.run();
