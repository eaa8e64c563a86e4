import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { AXES, parseSweeps, type SweepBase } from '../../ts/bench/scenarios.js';
import { untrainedModel } from '../../ts/bench/untrained.js';
import { estimateGraph } from '../../ts/model/graph/build.js';
import { BASE } from './support.js';

const FROM: SweepBase = { point: BASE, factors: [2, 4, 8], precisions: ['fp32', 'fp16'], cores: 6 };
const values = (word: string, from = FROM) => parseSweeps([word], from)[0]!.points.map(({ value }) => value);

test('a sweep changes one thing and keeps the rest', () => {
  const [sizes, threads, lowerings] = parseSweeps(['size=480x270', 'threads=2,3', 'lowering=3d'], FROM);
  assert.equal(sizes, { axis: 'size', points: [{ value: '480x270', point: { ...BASE, width: 480, height: 270 } }] });
  assert.equal(
    threads!.points.map(({ point }) => point),
    [
      { ...BASE, threads: 2 },
      { ...BASE, threads: 3 },
    ],
  );
  assert.equal(lowerings!.points[0]!.point, { ...BASE, lowering: '3d' });
});

test('fp16 and int8, which winograd is not made for, are measured and named as the 2d that they are', () => {
  const from: SweepBase = { ...FROM, precisions: ['fp32', 'fp16', 'int8'], point: { ...BASE, lowering: 'winograd' } };
  const [sweep] = parseSweeps(['precision'], from);
  assert.equal(
    sweep!.points.map(({ point }) => point.lowering),
    ['winograd', '2d', '2d'],
  );
});

test('an axis by itself takes the values that this model and machine have', () => {
  assert.equal(values('k'), ['2', '4', '8']);
  assert.equal(values('threads'), ['1', '2', '4', '6']);
  assert.equal(values('threads', { ...FROM, cores: 4 }), ['1', '2', '4']);
  assert.equal(values('precision'), ['fp32', 'fp16']);
  for (const axis of AXES) assert.ok(values(axis).length > 1, axis);
});

for (const [word, message] of [
  ['colour', /^--vary must be one of k, size, .*; got "colour"\.$/],
  ['size=big', /^--vary size takes sizes such as 256x256; got "big"\.$/],
  ['size=', /got ""/],
  ['k=3', /^--vary k takes 2, 4, 8; got "3"\.$/],
  ['batch=0', /^--vary batch takes whole numbers from 1 to 64; got "0"\.$/],
  ['threads=1,x', /^--vary threads takes .*; got "x"\.$/],
  ['precision=tf32', /^--vary precision takes fp32, fp16; got "tf32"\.$/],
  ['lowering=4d', /^--vary lowering takes 3d, 2d, winograd; got "4d"\.$/],
] as const) {
  test(`refused: --vary ${word}`, () => {
    assert.throws(
      () => parseSweeps([word], FROM),
      (error: { code: string; message: string }) => error.code === 'BAD_ARGUMENT' && message.test(error.message),
    );
  });
}

test('the untrained network has the published size for every k, and the same noise each time', () => {
  const model = untrainedModel('r18', 2);
  const { parameters, paperFlops } = estimateGraph(model, { width: 512, height: 512 });
  assert.is(Math.round(parameters / 1e4), 4206);
  assert.is(Math.round(paperFlops / 1e10), 213);
  assert.ok(estimateGraph(model, { width: 64, height: 64, precision: 'int8' }).parameters > 0);
  const again = untrainedModel('r18', 32);
  const stem = 'encoder.stem.0.weight';
  assert.equal(again.tensors.get(stem), model.tensors.get(stem));
  assert.equal(again.tensors.get('outconv.1.weight')!.shape, [93, 64, 7, 7]);
  assert.is.not(again.hash, model.hash);
});

test.run();
