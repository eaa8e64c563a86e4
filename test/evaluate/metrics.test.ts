import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { interpolationError, type Picture, psnr, ssim } from '../../ts/evaluate/index.js';
import { readMetricGoldens } from '../support/goldens.js';

const pairs = (await readMetricGoldens()).map((pair) => ({
  ...pair,
  a: { data: pair.a, width: pair.width, height: pair.height },
  b: { data: pair.b, width: pair.width, height: pair.height },
}));

function near(actual: number, expected: number, tolerance: number, what: string) {
  assert.ok(Math.abs(actual - expected) <= tolerance, `${what}: ${actual}, expected ${expected}`);
}

test('PSNR agrees with the official code to 1e-4 dB', () => {
  for (const { a, b, psnr: expected } of pairs) near(psnr(a, b), expected, 1e-4, 'flavr');
});

test('rounded PSNR agrees with scikit-image to 1e-4 dB, and is infinite for equal pictures', () => {
  for (const { a, b, skimage_psnr_u8: expected } of pairs) {
    if (expected === null) assert.is(psnr(a, b, 'rounded'), Number.POSITIVE_INFINITY);
    else near(psnr(a, b, 'rounded'), expected, 1e-4, 'rounded');
  }
});

test('SSIM agrees with the official code in three and in two dimensions to 1e-5', () => {
  for (const pair of pairs) {
    near(ssim(pair.a, pair.b), pair.ssim, 1e-5, 'matlab3d');
    near(ssim(pair.a, pair.b, 'gaussian2d'), pair.ssim_2d, 1e-5, 'gaussian2d');
  }
});

test('flat-window SSIM agrees with scikit-image to 1e-5', () => {
  for (const { a, b, skimage_ssim_u8: expected } of pairs) near(ssim(a, b, 'uniform7'), expected, 1e-5, 'uniform7');
});

test('SSIM of luma takes the range of the first picture, as the code of XVFI does', () => {
  const [{ a, b }] = pairs as [(typeof pairs)[number]];
  assert.is(ssim(a, a, 'uniform7-luma'), 1);
  assert.is.not(ssim(a, b, 'uniform7-luma'), ssim(b, a, 'uniform7-luma'));
});

const grey = (value: number, floats = false): Picture => {
  const data = floats ? new Float32Array(8 * 8 * 3) : new Uint8Array(8 * 8 * 3);
  return { data: data.fill(value), width: 8, height: 8 };
};

test('floats are measured as they are; bytes as 255ths', () => {
  near(psnr(grey(0.5, true), grey(0.6, true)), -10 * Math.log10(0.01 + 1e-8), 1e-4, 'floats');
  near(psnr(grey(1.2, true), grey(255)), -10 * Math.log10(0.04 + 1e-8), 1e-4, 'unclamped');
  assert.is(psnr(grey(1.2, true), grey(255), 'rounded'), Number.POSITIVE_INFINITY);
  assert.is(psnr(grey(1.2, true), grey(255), 'rounded80'), 80);
});

test('luma PSNR weighs the channels by BT.601', () => {
  const red = grey(0);
  for (let i = 0; i < red.data.length; i += 3) red.data[i] = 255;
  near(psnr(grey(0), red, 'y'), 20 * Math.log10(255 / 65), 1e-9, 'y');
});

test('interpolation error is the mean absolute difference in grey levels', () => {
  assert.is(interpolationError(grey(100), grey(103)), 3);
});

test('pictures of two sizes are not compared', () => {
  const other = { data: new Uint8Array(8 * 4 * 3), width: 8, height: 4 };
  assert.throws(() => psnr(grey(0), other), /8x8 and 8x4/);
  assert.throws(() => ssim(grey(0), { ...other, height: 8 }), /192 values; got 96/);
});

test.run();
