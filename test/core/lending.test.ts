import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FramePool } from '../../ts/backends/frame-pool.js';
import type { Frame } from '../../ts/frame.js';
import { Lending } from '../../ts/lending.js';

function lending() {
  const back: Frame[] = [];
  return { loans: new Lending((frame) => back.push(frame)), back, frame: new Uint8Array(4) };
}

test('a frame shown twice is given back at its second release', () => {
  const { loans, back, frame } = lending();
  loans.hold(frame);
  loans.show(frame);
  loans.release(frame);
  loans.show(frame);
  loans.letGo(frame, 2, false);
  assert.is(back.length, 0);
  loans.release(frame);
  assert.is(back.length, 1);
});

test('a frame released while its stream may show it again is given back when the stream is done', () => {
  const { loans, back, frame } = lending();
  loans.hold(frame);
  loans.show(frame);
  loans.release(frame);
  assert.is(back.length, 0);
  loans.letGo(frame, 1, false);
  assert.is(back.length, 1);
});

test('a frame that two streams hold waits for both', () => {
  const { loans, back, frame } = lending();
  loans.hold(frame);
  loans.hold(frame);
  loans.letGo(frame, 0, true);
  assert.is(back.length, 0);
  loans.letGo(frame, 0, true);
  assert.is(back.length, 1);
});

test('a frame that never came out goes back if it is ours, and stays the caller’s if not', () => {
  for (const owned of [true, false]) {
    const { loans, back, frame } = lending();
    loans.hold(frame);
    loans.letGo(frame, 0, owned);
    assert.is(back.length, owned ? 1 : 0);
  }
});

test('the pool uses released memory again, under a new object', () => {
  const pool = new FramePool(8, 2);
  const first = pool.take();
  pool.release(first);
  const second = pool.take();
  assert.is(second.buffer, first.buffer);
  assert.is.not(second, first);
  pool.release(first);
  assert.is(pool.lent, 1, 'a second release of the old object is none of the new');
});

test('the pool keeps no more idle memory than it may, none that was transferred, and nobody else’s', () => {
  const pool = new FramePool(8, 2);
  const frames = [pool.take(), pool.take(), pool.take()];
  structuredClone(frames[0]!.buffer, { transfer: [frames[0]!.buffer as ArrayBuffer] });
  pool.release(frames[0]!);
  pool.release(new Uint8Array(8));
  assert.is(pool.idle, 0);
  pool.release(frames[1]!);
  pool.release(frames[2]!);
  pool.release(pool.take());
  assert.is(pool.idle, 2);
  assert.is(pool.lent, 0);
});

test.run();
