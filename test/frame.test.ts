import { runInNewContext } from 'node:vm';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { checkFrame, frameBytes, frameFormat } from '../ts/frame.js';

const coded = (code: string, words: RegExp) => (error: { code?: string; message: string }) =>
  error.code === code && words.test(error.message);

test('a format is rgb24 without gaps unless told otherwise', () => {
  assert.equal(frameFormat({ width: 5, height: 3 }), { pixel: 'rgb24', width: 5, height: 3, stride: 15 });
});

test('the last row of a strided frame needs no padding behind it', () => {
  assert.is(frameBytes(frameFormat({ width: 5, height: 3, stride: 64 })), 64 * 2 + 15);
});

test('impossible sizes are refused by name', () => {
  for (const width of [0, -8, 1.5, Number.NaN, 20_000]) {
    assert.throws(() => frameFormat({ width, height: 8 }), coded('BAD_ARGUMENT', /^width must be .*1 to 16384/));
  }
  assert.throws(() => frameFormat({ width: 5, height: 3, stride: 14 }), coded('BAD_ARGUMENT', /15 bytes.*14/));
});

test('a value is shown as what it is, and none makes the message fail', () => {
  for (const [width, words] of [
    ['64', /got '64'/],
    [64n, /got 64n/],
    [Symbol('w'), /got Symbol\(w\)/],
    [Object.create(null), /got \[Object: null/],
  ] as [number, RegExp][]) {
    assert.throws(() => frameFormat({ width, height: 8 }), coded('BAD_ARGUMENT', words));
  }
});

test('a frame has the format its length says', () => {
  const format = frameFormat({ width: 4, height: 2 });
  checkFrame(new Uint8Array(24), format);
  assert.throws(() => checkFrame(new Uint8Array(23), format, 7), coded('BAD_FRAME', /Frame 7 .*24 bytes.*got 23/));
  assert.throws(() => checkFrame('pixels', format), coded('BAD_FRAME', /Uint8Array .*; got String/));
  assert.throws(() => checkFrame(new Float32Array(24), format), coded('BAD_FRAME', /got Float32Array/));
  assert.throws(() => checkFrame(new Proxy(new Uint8Array(24), {}), format), coded('BAD_FRAME', /got Object/));
});

test('a frame may be a Buffer, a part of a larger buffer, or of another context', () => {
  const format = frameFormat({ width: 4, height: 2 });
  checkFrame(Buffer.alloc(24), format);
  checkFrame(new Uint8Array(new ArrayBuffer(40), 7, 24), format);
  checkFrame(runInNewContext('new Uint8Array(24)'), format);
});

test('memory that can change or vanish behind our back is refused', () => {
  const format = frameFormat({ width: 4, height: 2 });
  assert.throws(() => checkFrame(new Uint8Array(new SharedArrayBuffer(24)), format), coded('BAD_FRAME', /Shared/));
  const resizable = new (ArrayBuffer as unknown as new (n: number, o: object) => ArrayBuffer)(24, {
    maxByteLength: 48,
  });
  assert.throws(() => checkFrame(new Uint8Array(resizable), format), coded('BAD_FRAME', /resizable/));
  const frame = new Uint8Array(24);
  structuredClone(frame.buffer, { transfer: [frame.buffer] });
  assert.throws(() => checkFrame(frame, format), coded('BAD_FRAME', /transferred/));
});

test.run();
