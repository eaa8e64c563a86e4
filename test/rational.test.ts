import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { add, compare, divide, multiply, parseRational, rational, subtract, toNumber } from '../ts/rational.js';

test('fractions are kept in lowest terms with a positive denominator', () => {
  assert.equal(rational(6n, -4n), { num: -3n, den: 2n });
  assert.equal(rational(0n, 7n), { num: 0n, den: 1n });
  assert.throws(
    () => rational(1n, 0n),
    (error: { code?: string }) => error.code === 'BAD_ARGUMENT',
  );
});

test('a day of frames at 30000/1001 adds up without drift', () => {
  const frame = rational(1001n, 30000n);
  let time = rational(0n);
  for (let i = 0; i < 30_000; i++) time = add(time, frame);
  assert.equal(time, rational(1001n));
});

test('arithmetic and order are exact', () => {
  const third = rational(1n, 3n);
  const sixth = rational(1n, 6n);
  assert.equal(subtract(third, sixth), sixth);
  assert.equal(multiply(third, sixth), rational(1n, 18n));
  assert.equal(divide(third, sixth), rational(2n));
  assert.is(compare(sixth, third), -1);
  assert.is(compare(third, rational(2n, 6n)), 0);
  assert.is(toNumber(rational(3n, 2n)), 1.5);
});

test('numbers are read as written, not as the nearest double', () => {
  assert.equal(parseRational('23.976', 'rate'), rational(2997n, 125n));
  assert.equal(parseRational('24000/1001', 'rate'), rational(24000n, 1001n));
  assert.equal(parseRational('-0.5', 'offset'), rational(-1n, 2n));
  assert.equal(parseRational(29.97, 'rate'), rational(2997n, 100n));
  for (const text of ['', 'x', '1e3', '1/2/3', '1.5/2']) {
    assert.throws(() => parseRational(text, 'rate'), /rate must be a number/);
  }
});

test('what is no whole number is refused as a part of a fraction, with the function that reads decimals', () => {
  for (const value of [29.97, Number.NaN, '24', undefined] as number[]) {
    assert.throws(
      () => rational(value),
      (error: { code?: string; message: string }) =>
        error.code === 'BAD_ARGUMENT' && /parseRational/.test(error.message),
    );
    assert.throws(() => rational(1, value ?? null!), /whole numbers; got/);
  }
});

test('a fraction without end is refused by the name of what it was given for', () => {
  assert.throws(() => parseRational('60/0', '--fps'), /--fps must be.*got '60\/0'/);
});

test.run();
