import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { orientationOf, turnPixels, uprightInfo } from '../../ts/video/upright.js';
import { videoInfo } from './sink-helper.js';

// a b c
// d e f
const PIXELS = new Uint8Array(Buffer.from('abcdef'));

for (const { rotation, mirrored, rows } of [
  { rotation: 0, mirrored: false, rows: ['abc', 'def'] },
  { rotation: 90, mirrored: false, rows: ['da', 'eb', 'fc'] },
  { rotation: 180, mirrored: false, rows: ['fed', 'cba'] },
  { rotation: 270, mirrored: false, rows: ['cf', 'be', 'ad'] },
  { rotation: 0, mirrored: true, rows: ['cba', 'fed'] },
  { rotation: 90, mirrored: true, rows: ['fc', 'eb', 'da'] },
]) {
  test(`pixels stored for a turn of ${rotation} degrees${mirrored ? ', mirrored' : ''}, as they are shown`, () => {
    const turned = turnPixels(PIXELS, 3, 2, 1, orientationOf({ rotation, mirrored })!);
    assert.is(Buffer.from(turned).toString(), rows.join(''));
  });
}

test('the bytes of a pixel stay together', () => {
  const turned = turnPixels(new Uint8Array([1, 2, 3, 4, 5, 6]), 2, 1, 3, orientationOf({ rotation: 180 })!);
  assert.equal([...turned], [4, 5, 6, 1, 2, 3]);
});

test('a quarter turn exchanges the sides and turns the sample aspect over', () => {
  const info = uprightInfo(videoInfo({ rotation: 270, sampleAspect: { num: 4n, den: 3n } }));
  assert.equal([info.width, info.height, info.rotation, info.sampleAspect], [48, 64, 0, { num: 3n, den: 4n }]);
});

test('an angle between quarter turns is left as it is', () => {
  assert.is(orientationOf({ rotation: 45 }), undefined);
});

test.run();
