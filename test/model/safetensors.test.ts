import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import { openSafetensors } from '../../ts/model/checkpoint/safetensors.js';
import { type ByteSource, openSource, sourceOf } from '../../ts/model/checkpoint/source.js';
import { GOLDENS, readGolden, readMetricGoldens, ruleWeights } from '../support/goldens.js';
import { safetensorsOf } from '../support/safetensors-file.js';

const test = suite('safetensors');
const folder = mkdtempSync(join(tmpdir(), 'flavr-safetensors-'));
test.after(() => rmSync(folder, { recursive: true }));

async function open(bytes: Uint8Array) {
  const path = join(folder, 'case.safetensors');
  writeFileSync(path, bytes);
  const source = await openSource(path);
  try {
    return await openSafetensors(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function refusal(bytes: Uint8Array): Promise<string> {
  try {
    await (await open(bytes)).close();
  } catch (error) {
    assert.instance(error, FlavrError);
    assert.is((error as FlavrError).code, 'CHECKPOINT_INVALID');
    return (error as Error).message;
  }
  throw new Error('the file was accepted');
}

test('every float type is read as float32', async () => {
  const data = Buffer.alloc(8 + 4 + 6 + 2);
  data.writeDoubleLE(-0.1, 0);
  data.writeFloatLE(1.5, 8);
  data.writeUInt16LE(0xc000, 12); // -2 in half precision
  data.writeUInt16LE(0x0001, 14); // the smallest subnormal
  data.writeUInt16LE(0x7c00, 16); // infinity
  data.writeUInt16LE(0x3fc0, 18); // 1.5 in bfloat16
  const header = {
    a: { dtype: 'F64', shape: [1], data_offsets: [0, 8] },
    b: { dtype: 'F32', shape: [1, 1], data_offsets: [8, 12] },
    c: { dtype: 'F16', shape: [3], data_offsets: [12, 18] },
    d: { dtype: 'BF16', shape: [], data_offsets: [18, 20] },
  };
  const checkpoint = await open(safetensorsOf(header, data));
  assert.equal([...(await checkpoint.read('a'))], [Math.fround(-0.1)]);
  assert.equal([...(await checkpoint.read('b'))], [1.5]);
  assert.equal([...(await checkpoint.read('c'))], [-2, 2 ** -24, Number.POSITIVE_INFINITY]);
  assert.equal([...(await checkpoint.read('d'))], [1.5]);
  await checkpoint.close();
});

test('every pattern of 16 bits is read as the number that it is', async () => {
  const patterns = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
  const header = {
    half: { dtype: 'F16', shape: [1 << 16], data_offsets: [0, 1 << 17] },
    upper: { dtype: 'BF16', shape: [1 << 16], data_offsets: [1 << 17, 1 << 18] },
  };
  const bytes = Buffer.from(patterns.buffer);
  const checkpoint = await open(safetensorsOf(header, Buffer.concat([bytes, bytes])));
  const [halves, uppers] = [await checkpoint.read('half'), await checkpoint.read('upper')];
  await checkpoint.close();
  const float = new DataView(new ArrayBuffer(4));
  for (const bits of patterns) {
    float.setUint32(0, bits * 2 ** 16);
    assert.ok(Object.is(uppers[bits], float.getFloat32(0)), `upper half ${bits}`);
    const [magnitude, sign] = [bits & 0x7fff, bits >> 15 ? -1 : 1];
    // Ten bits of fraction moved to where a float32 has them, and the exponent's bias made its own.
    float.setUint32(0, magnitude << 13);
    const half = magnitude < 0x7c00 ? float.getFloat32(0) * 2 ** 112 : magnitude > 0x7c00 ? Number.NaN : Infinity;
    assert.ok(Object.is(halves[bits], sign * half), `half ${bits}`);
  }
});

test('names, shapes and metadata come from the header', async () => {
  const header = {
    __metadata__: { residual: 'blend' },
    w: { dtype: 'F32', shape: [2, 1], data_offsets: [0, 8] },
  };
  const checkpoint = await open(safetensorsOf(header, new Uint8Array(8)));
  assert.equal(checkpoint.metadata, { residual: 'blend' });
  assert.equal([...checkpoint.tensors.keys()], ['w']);
  assert.equal(checkpoint.tensors.get('w')!.shape, [2, 1]);
  await checkpoint.close();
});

test('a tensor of integers is listed but not read as weights', async () => {
  const checkpoint = await open(
    safetensorsOf({ n: { dtype: 'I64', shape: [], data_offsets: [0, 8] } }, new Uint8Array(8)),
  );
  assert.is(checkpoint.tensors.get('n')!.dtype, 'I64');
  try {
    await checkpoint.read('n');
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, 'the tensor n should hold floats but is I64');
  }
  await checkpoint.close();
});

test('tensors beyond the fourth gigabyte are found', async () => {
  const [before, count] = [5 * 2 ** 30, 2];
  const head = safetensorsOf({
    big: { dtype: 'U8', shape: [before], data_offsets: [0, before] },
    far: { dtype: 'F32', shape: [count], data_offsets: [before, before + 8] },
  });
  const offsets: number[] = [];
  const source: ByteSource = {
    ...sourceOf('huge', head),
    size: head.length + before + 8,
    async readInto(target, offset) {
      if (offset < head.length) target.set(head.subarray(offset, offset + target.length));
      else offsets.push(offset);
    },
  };
  const checkpoint = await openSafetensors(source);
  assert.is((await checkpoint.read('far')).length, count);
  assert.equal(offsets, [head.length + before]);
});

test('an absurd header length is refused before it is read', async () => {
  assert.match(await refusal(Buffer.from('ffffffffffffff7f7b7d', 'hex')), 'its header claims');
});

test('a truncated file is refused, naming the tensor that is cut', async () => {
  const bytes = safetensorsOf({ w: { dtype: 'F32', shape: [4], data_offsets: [0, 16] } }, new Uint8Array(15));
  assert.match(await refusal(bytes), 'the tensor w should be the 16 bytes');
});

test('a header that is cut, no JSON or no object is refused', async () => {
  assert.match(await refusal(safetensorsOf('{"a"')), 'no JSON');
  assert.match(await refusal(safetensorsOf('[1]')), 'no JSON object');
  assert.match(await refusal(Buffer.from('1000000000000000', 'hex')), 'the header');
});

test('a tensor whose type, shape or range is senseless is refused by name', async () => {
  const entry = { dtype: 'F32', shape: [1], data_offsets: [0, 4] };
  for (const [change, expected] of [
    [{ dtype: 'F8' }, /tensor w has the unknown type "F8"/],
    [{ shape: [-1] }, /tensor w has no sensible shape/],
    [{ shape: [2 ** 40, 2 ** 40] }, /tensor w has no sensible shape/],
    [{ shape: 'x' }, /tensor w has no sensible shape/],
    [{ data_offsets: [4] }, /tensor w should have two data_offsets/],
    [{ data_offsets: [0, 8] }, /tensor w is F32 of shape \[1\]/],
    [{ data_offsets: [4, 0] }, /tensor w is F32 of shape \[1\]/],
  ] as const) {
    assert.match(await refusal(safetensorsOf({ w: { ...entry, ...change } }, new Uint8Array(16))), expected);
  }
});

test('tensors that overlap, leave a gap or leave bytes over are refused', async () => {
  const entry = (begin: number) => ({ dtype: 'F32', shape: [1], data_offsets: [begin, begin + 4] });
  const tensors = { a: entry(0), b: entry(4) };
  const checkpoint = await open(safetensorsOf({ b: entry(4), a: entry(0) }, new Uint8Array(8)));
  await checkpoint.close();
  for (const [header, bytes, expected] of [
    [{ a: entry(0), b: entry(2) }, 6, /tensor b should begin at byte 4 of the data, not 2/],
    [{ a: entry(0), b: entry(8) }, 12, /tensor b should begin at byte 4 of the data, not 8/],
    [tensors, 9, /1 bytes of its data belong to no tensor/],
  ] as const) {
    assert.match(await refusal(safetensorsOf(header, new Uint8Array(bytes))), expected);
  }
});

test('metadata that is no table of strings is refused', async () => {
  assert.match(await refusal(safetensorsOf({ __metadata__: { a: 1 } })), '__metadata__');
});

test('the goldens hold frames, outputs and taps of the stated shapes', async () => {
  const golden = await readGolden('tiny8-k2');
  assert.is(golden.frames.length, 4);
  assert.is(golden.frames[0]!.length, golden.height * golden.width * 3);
  assert.equal(golden.outputs.shape, [1, 3, golden.height, golden.width]);
  assert.equal(golden.taps.get('decoder4')!.shape, [8, 4, golden.height, golden.width]);
  assert.is(golden.raw[4 * golden.height * golden.width], Math.fround(golden.frames[0]![1]! / 255));
  assert.is((await readMetricGoldens()).length, 4);
});

test('the rule for weights gives the tensors of the tiny reference files', async () => {
  const golden = await readGolden('tiny8-k8');
  const source = await openSource(`${GOLDENS}/tiny8-k8.weights.safetensors`);
  const checkpoint = await openSafetensors(source);
  const weights = ruleWeights(golden.tensors, Number(golden.metadata.gain));
  assert.is(weights.size, checkpoint.tensors.size);
  for (const [name, { data }] of weights)
    assert.ok(Buffer.from(data.buffer).equals(Buffer.from((await checkpoint.read(name)).buffer)), name);
  await checkpoint.close();
});

test.run();
