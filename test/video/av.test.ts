import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rational } from '../../ts/rational.js';
import { avError, checkAv, fromAvRational, loadAv } from '../../ts/video/av.js';
import { conversionColor, hdrTransfer } from '../../ts/video/color.js';

const av = await loadAv();

test('FFmpeg keeps its log to itself', () => {
  assert.is(av.Log.getLevel(), av.AV_LOG_QUIET);
});

test('a log level that someone chose stays', async () => {
  av.Log.setLevel(av.AV_LOG_ERROR);
  await loadAv();
  assert.is(av.Log.getLevel(), av.AV_LOG_ERROR);
  av.Log.setLevel(av.AV_LOG_QUIET);
});

test('an FFmpeg error becomes a sentence under the given code', () => {
  const error = avError(av, av.AVERROR_ENOENT, 'VIDEO_UNREADABLE', 'x.mp4 cannot be opened');
  assert.is(error.code, 'VIDEO_UNREADABLE');
  assert.is(error.message, 'x.mp4 cannot be opened: No such file or directory.');
});

test('lack of memory has its own code and a full disk its own sentence', () => {
  assert.is(avError(av, av.AVERROR_ENOMEM, 'VIDEO_UNREADABLE', 'x').code, 'OUT_OF_MEMORY');
  assert.match(avError(av, av.AVERROR_ENOSPC, 'VIDEO_UNWRITABLE', 'x').message, 'the disk is full');
});

test('checkAv passes results through and throws errors', () => {
  assert.is(checkAv(av, 3, 'VIDEO_UNREADABLE', 'x'), 3);
  assert.throws(() => checkAv(av, av.AVERROR_EIO, 'VIDEO_UNREADABLE', 'x'), /Input\/output error/);
});

test("FFmpeg's unknown fractions are undefined", () => {
  assert.equal(fromAvRational({ num: 30000, den: 1001 }), rational(30000, 1001));
  assert.is(fromAvRational({ num: 0, den: 1 }), undefined);
  assert.is(fromAvRational({ num: 1, den: 0 }), undefined);
});

const unspecified = { primaries: 2, transfer: 2, matrix: 2, range: 0 };

test('an unspecified matrix is BT.709 for high definition and BT.601 below; an unspecified range is limited', () => {
  assert.equal(conversionColor({ width: 1280, height: 536, color: unspecified }), { matrix: 1, range: 1 });
  assert.equal(conversionColor({ width: 720, height: 1280, color: unspecified }), { matrix: 1, range: 1 });
  assert.equal(conversionColor({ width: 720, height: 576, color: unspecified }), { matrix: 6, range: 1 });
});

test('a stated matrix and range are taken', () => {
  const color = { primaries: 9, transfer: 14, matrix: 9, range: 2 };
  assert.equal(conversionColor({ width: 320, height: 240, color }), { matrix: 9, range: 2 });
});

test('PQ and HLG are recognised', () => {
  assert.is(hdrTransfer({ ...unspecified, transfer: 16 }), 'PQ');
  assert.is(hdrTransfer({ ...unspecified, transfer: 18 }), 'HLG');
  assert.is(hdrTransfer({ ...unspecified, transfer: 1 }), undefined);
});

test.run();
