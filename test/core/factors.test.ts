import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { passesFor, passFactors, supportedFactors } from '../../ts/factors.js';

test('a model does the products of its factor’s divisors, to 64', () => {
  assert.equal(supportedFactors(2), [2, 4, 8, 16, 32, 64]);
  assert.equal(supportedFactors(8), [2, 4, 8, 16, 32, 64]);
  assert.equal(supportedFactors(3), [3, 9, 27]);
  assert.equal(supportedFactors(6).slice(0, 8), [2, 3, 4, 6, 8, 9, 12, 16]);
});

test('a model with a factor beyond 64 does that factor', () => {
  assert.is(supportedFactors(100).at(-1), 100);
});

test('passes are the shortest list, largest first', () => {
  assert.equal(passesFor(8, 1), []);
  assert.equal(passesFor(8, 4), [4]);
  assert.equal(passesFor(8, 16), [8, 2]);
  assert.equal(passesFor(8, 32), [8, 4]);
  assert.equal(passesFor(2, 8), [2, 2, 2]);
  assert.equal(passesFor(12, 36), [12, 3]);
  assert.equal(passesFor(12, 16), [4, 4]);
});

test('for every model and factor, no shorter list of pass factors has that product', () => {
  for (let m = 2; m <= 24; m++) {
    const shortest = new Map([[1, 0]]);
    for (let k = 2; k <= 64; k++) {
      for (const f of passFactors(m)) {
        const rest = k % f === 0 ? shortest.get(k / f) : undefined;
        if (rest !== undefined) shortest.set(k, Math.min(shortest.get(k) ?? Number.POSITIVE_INFINITY, rest + 1));
      }
    }
    for (const k of supportedFactors(m)) {
      const passes = passesFor(m, k);
      assert.is(passes.length, shortest.get(k), `m ${m}, k ${k}`);
      assert.is(
        passes.reduce((a, b) => a * b),
        k,
      );
      assert.equal(
        [...passes].sort((a, b) => b - a),
        passes,
      );
    }
  }
});

test.run();
