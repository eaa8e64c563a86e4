import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  integerOption,
  keyValueOption,
  rateOption,
  sizeOption,
  thresholdOption,
  timeOption,
} from '../../ts/cli/values.js';
import { rational } from '../../ts/rational.js';

const refuses = (read: () => unknown, words: RegExp) =>
  assert.throws(
    read,
    (error: { code?: string; message: string }) => error.code === 'BAD_ARGUMENT' && words.test(error.message),
  );

test('an option that was not given is undefined', () => {
  assert.is(integerOption('-k', undefined, 1, 8), undefined);
  assert.is(rateOption('--fps', undefined), undefined);
  assert.is(timeOption('--start', undefined), undefined);
  assert.is(thresholdOption('--scene-threshold', undefined), undefined);
});

test('whole numbers are read within their bounds', () => {
  assert.is(integerOption('-k', '4', 1, 8), 4);
  for (const text of ['0', '9', '2.5', '-1', '', 'two']) refuses(() => integerOption('-k', text, 1, 8), /-k .*1 to 8/);
});

test('a rate is exact: 59.94 is 2997/50 and 60000/1001 itself', () => {
  assert.equal(rateOption('--fps', '59.94'), rational(2997n, 50n));
  assert.equal(rateOption('--fps', '60000/1001'), rational(60000n, 1001n));
  for (const text of ['0', '-25', 'fast', '1/0', '24.5/2']) refuses(() => rateOption('--fps', text), /./);
});

test('a time is seconds, minutes or hours, exact', () => {
  assert.equal(timeOption('--start', '12.5'), rational(25n, 2n));
  assert.equal(timeOption('--start', '1:02.25'), rational(249n, 4n));
  assert.equal(timeOption('--start', '1:00:00'), rational(3600n));
  assert.equal(timeOption('--start', '90:05'), rational(5405n));
  assert.equal(timeOption('--start', '100:59:59.5'), rational(727199n, 2n));
  for (const text of ['', '-1', '1:', 'soon', '1:2:3:4', '1:75', '1:60', '0:60:00', '1:2:075'])
    refuses(() => timeOption('--start', text), /--start/);
});

test('a size is two numbers with an x between them', () => {
  assert.equal(sizeOption('--size', '1280x720'), { width: 1280, height: 720 });
  for (const text of ['1280', '1280*720', 'x', '-1x2']) refuses(() => sizeOption('--size', text), /1280x720/);
});

test('encoder options split at the first equals sign', () => {
  assert.equal(keyValueOption('--encoder-option', ['preset=slow', 'x264-params=a=b']), {
    preset: 'slow',
    'x264-params': 'a=b',
  });
  refuses(() => keyValueOption('--encoder-option', ['preset']), /KEY=VALUE/);
});

test('a threshold is a share or off', () => {
  assert.is(thresholdOption('--scene-threshold', 'off'), 'off');
  assert.is(thresholdOption('--scene-threshold', '0.3'), 0.3);
  refuses(() => thresholdOption('--scene-threshold', '2'), /0 to 1/);
});

test.run();
