import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { clock, ProgressLine, progressText } from '../../ts/cli/progress.js';

const halfway = { framesIn: 30, framesOut: 60, framesTotal: 119, rate: 2.5, etaSeconds: 23.6 };

test('progress says how much is done, how fast, and how long it will take', () => {
  assert.is(progressText(halfway, false), '50%  frame 60/119  2.5 frames/s  ETA 0:24');
  assert.match(progressText(halfway, true), /^\[#{12}\.{12}\] {2}50%/);
});

test('a source of unknown length has neither share nor ETA', () => {
  const open = { ...halfway, framesTotal: undefined, etaSeconds: undefined };
  assert.is(progressText(open, true), 'frame 60  2.5 frames/s');
});

test('times are written as a clock', () => {
  assert.is(clock(0), '0:00');
  assert.is(clock(61.2), '1:02');
  assert.is(clock(3725), '1:02:05');
});

test('a terminal gets one line, redrawn and removed at the end', () => {
  const writes: string[] = [];
  const line = new ProgressLine({ isTTY: true, columns: 40, write: (text) => writes.push(text) });
  line.update(halfway);
  line.update(halfway);
  line.clear();
  line.clear();
  assert.is(writes.length, 3);
  assert.ok(writes[0]!.startsWith('\r') && writes[0]!.length <= 40 + '\r\u001b[K'.length);
  assert.is(writes[2], '\r\u001b[K');
});

for (const [columns, shown] of [
  [80, /^\[#+\.+\] {2}50%.*ETA 0:24$/],
  [60, /^50%.*ETA 0:24$/],
] as const) {
  test(`in ${columns} columns the time left is shown, and the bar if there is room`, () => {
    const writes: string[] = [];
    new ProgressLine({ isTTY: true, columns, write: (text) => writes.push(text) }).update(halfway);
    assert.match(writes[0]!.replace('\r\u001b[K', ''), shown);
  });
}

test('a stage says how far it is, where that is known', () => {
  const writes: string[] = [];
  const line = new ProgressLine({ isTTY: true, write: (text) => writes.push(text) });
  line.stage({ stage: 'build graph', fraction: undefined });
  line.stage({ stage: 'build engine', fraction: 0.509 });
  assert.equal(
    writes.map((text) => text.replace('\r\u001b[K', '')),
    ['build graph', '50%  build engine'],
  );
});

test('anything else gets a plain line every ten seconds', () => {
  const writes: string[] = [];
  let now = 0;
  const line = new ProgressLine({ write: (text) => writes.push(text) }, () => now);
  for (now = 0; now < 25_000; now += 500) line.update(halfway);
  line.clear();
  assert.is(writes.length, 2);
  assert.ok(writes.every((text) => /^50%.*\n$/.test(text)));
});

test.run();
