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

test('luma SSIM agrees with its definition, place by place', () => {
  const [{ a, b }] = pairs as [(typeof pairs)[number]];
  const { width, height } = a;
  const [x, y] = [a, b].map(({ data }) => (row: number, column: number) => {
    const at = 3 * (Math.min(height - 1, Math.max(0, row)) * width + Math.min(width - 1, Math.max(0, column)));
    return Math.round(16 + (65.481 * data[at]! + 128.553 * data[at + 1]! + 24.966 * data[at + 2]!) / 255);
  }) as [Plane, Plane];
  type Plane = (row: number, column: number) => number;
  const near11 = Array.from({ length: 121 }, (_, i) => [Math.floor(i / 11) - 5, (i % 11) - 5] as const);
  const total = near11.reduce((sum, [dy, dx]) => sum + Math.exp(-(dx * dx + dy * dy) / 4.5), 0);
  const blur = (row: number, column: number, of: Plane) =>
    near11.reduce((sum, [dy, dx]) => sum + Math.exp(-(dx * dx + dy * dy) / 4.5) * of(row + dy, column + dx), 0) / total;
  let sum = 0;
  for (let row = 0; row < height; row++) {
    for (let column = 0; column < width; column++) {
      const [mx, my] = [blur(row, column, x), blur(row, column, y)];
      const product = (p: Plane, q: Plane) => blur(row, column, (r, c) => p(r, c) * q(r, c));
      const [vx, vy, vxy] = [product(x, x) - mx * mx, product(y, y) - my * my, product(x, y) - mx * my];
      const [c1, c2] = [2.55 ** 2, 7.65 ** 2];
      sum += ((2 * mx * my + c1) * (2 * vxy + c2)) / ((mx * mx + my * my + c1) * (vx + vy + c2));
    }
  }
  near(ssim(a, b, 'gaussian2d-luma'), sum / (width * height), 1e-5, 'gaussian2d-luma');
});

test('interpolation error is the mean absolute difference in grey levels', () => {
  assert.is(interpolationError(grey(100), grey(103)), 3);
});

test('pictures smaller than a flat window have no SSIM', () => {
  for (const [width, height] of [
    [6, 6],
    [6, 40],
    [40, 6],
  ] as const) {
    const picture = (value: number) => ({ data: new Uint8Array(width * height * 3).fill(value), width, height });
    assert.throws(() => ssim(picture(0), picture(90), 'uniform7'), /at least 7x7; got \d+x\d+/);
    assert.throws(() => ssim(picture(0), picture(90), 'uniform7-luma'), /at least 7x7/);
  }
});

test('a variant that there is not is refused', () => {
  assert.throws(() => psnr(grey(0), grey(1), 'best' as never), /no variant 'best' of PSNR/);
  assert.throws(() => ssim(grey(0), grey(1), 'best' as never), /no variant 'best' of SSIM/);
});

test('pictures of two sizes are not compared', () => {
  const other = { data: new Uint8Array(8 * 4 * 3), width: 8, height: 4 };
  assert.throws(() => psnr(grey(0), other), /8x8 and 8x4/);
  assert.throws(() => ssim(grey(0), { ...other, height: 8 }), /192 values; got 96/);
});

test.run();
