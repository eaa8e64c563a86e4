import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import { openCheckpoint, openCheckpointFrom } from '../../ts/model/checkpoint/open.js';
import { GOLDENS, TINY_GOLDENS } from '../support/goldens.js';
import { memorySource } from '../support/memory-source.js';
import {
  Code,
  type FakeStorage,
  floats,
  legacyFile,
  type Plain,
  reduce,
  tensor,
  zip,
  zipFile,
} from '../support/torch-files.js';

const test = suite('torch.save files');

const FORMATS = { legacy: legacyFile, zip: zipFile } as const;
const dict = (entries: Record<string, Plain>) => new Map(Object.entries(entries));

/** Runs `check` on the same objects in both formats. */
async function inBoth(root: Plain, storages: Record<string, FakeStorage>, check: (bytes: Buffer) => Promise<void>) {
  for (const write of Object.values(FORMATS)) await check(write(root, storages));
}

async function refusal(bytes: Uint8Array, read?: string): Promise<FlavrError> {
  const source = memorySource(bytes);
  try {
    const checkpoint = await openCheckpointFrom(source);
    if (read) await checkpoint.read(read);
  } catch (error) {
    assert.instance(error, FlavrError, (error as Error).stack);
    if (!read) assert.ok(source.closed, 'a refused file is closed');
    return error as FlavrError;
  }
  throw new Error('the file was accepted');
}

for (const golden of TINY_GOLDENS) {
  test(`the three files of ${golden} hold identical tensors`, async () => {
    const reference = await openCheckpoint(`${GOLDENS}/${golden}.weights.safetensors`);
    for (const [extension, format] of [
      ['legacy.pth', 'torch-legacy'],
      ['zip.pth', 'torch-zip'],
    ] as const) {
      const checkpoint = await openCheckpoint(`${GOLDENS}/${golden}.${extension}`);
      assert.is(checkpoint.format, format);
      assert.is(checkpoint.tensors.size, reference.tensors.size);
      for (const [name, { shape }] of reference.tensors) {
        assert.equal(checkpoint.tensors.get(`module.${name}`)?.shape, shape, name);
        const same = Buffer.from((await reference.read(name)).buffer).equals(
          Buffer.from((await checkpoint.read(`module.${name}`)).buffer),
        );
        assert.ok(same, name);
      }
      await checkpoint.close();
    }
    await reference.close();
  });
}

for (const protocol of [2, 3, 4, 5]) {
  test(`what PyTorch writes in pickle protocol ${protocol} is read, in both formats`, async () => {
    for (const format of ['legacy', 'zip']) {
      const checkpoint = await openCheckpoint(`test/fixtures/checkpoints/protocol${protocol}.${format}.pth`);
      const read = async (name: string) => [...(await checkpoint.read(name))];
      const numbers = Array.from({ length: 24 }, (_, i) => i);
      assert.equal(await read('plain'), [0, 1, 2, 3, 4, 5]);
      assert.equal(checkpoint.tensors.get('transposed')!.shape, [3, 2]);
      assert.equal(await read('transposed'), [0, 3, 1, 4, 2, 5]);
      assert.equal(await read('view'), [8, 9, 10, 11]);
      assert.equal(await read('channels_last'), numbers);
      assert.equal(await read('half'), [0, 1, 2]);
      assert.equal(await read('bfloat16'), [0, 1, 2]);
      assert.equal(await read('double'), [0, Math.fround(1 / 3), Math.fround(2 / 3)]);
      assert.equal(await read('parameter'), [0, 1]);
      assert.is(checkpoint.tensors.get('counter')!.dtype, 'I64');
      assert.equal(checkpoint.metadata, { epoch: '12', best_psnr: '36.25', lr: '0.5', steps: String(2 ** 40) });
      await checkpoint.close();
    }
  });
}

test('a whole pickled module is refused, naming its class', async () => {
  const error = await refusal(readFileSync('test/fixtures/checkpoints/module.pth'));
  assert.is(error.code, 'CHECKPOINT_UNSAFE');
  assert.match(error.message, '"torch.nn.modules.linear.Linear"');
});

test('numbers and strings beside the state dict become metadata', async () => {
  const checkpoint = await openCheckpoint(`${GOLDENS}/tiny8-k2.zip.pth`);
  assert.equal(checkpoint.metadata, { epoch: '3', best_psnr: '31.25', lr: '0.0002' });
  await checkpoint.close();
});

test('a state dict is found bare and under every usual key', async () => {
  const storages = { '0': { type: 'FloatStorage', data: floats(1, 2) } };
  const state = dict({ w: tensor({ storage: '0', shape: [2] }, storages) });
  const roots = [
    state,
    ...['state_dict', 'model_state_dict', 'params_ema', 'params', 'model'].map((key) => dict({ [key]: state })),
  ];
  for (const root of [...roots, dict({ model: dict({ state_dict: state }) })]) {
    await inBoth(root, storages, async (bytes) => {
      const checkpoint = await openCheckpointFrom(memorySource(bytes));
      assert.equal([...(await checkpoint.read('w'))], [1, 2]);
    });
  }
});

test('views with an offset, transposed and sliced ones are read in row-major order', async () => {
  const storages = { s: { type: 'FloatStorage', data: floats(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11) } };
  const root = dict({
    tail: tensor({ storage: 's', shape: [3], offset: 9 }, storages),
    transposed: tensor({ storage: 's', shape: [4, 3], strides: [1, 4] }, storages),
    sliced: tensor({ storage: 's', shape: [2, 2], strides: [4, 2], offset: 1 }, storages),
    scalar: tensor({ storage: 's', shape: [], offset: 5 }, storages),
    empty: tensor({ storage: 's', shape: [0, 3] }, storages),
    column: tensor({ storage: 's', shape: [3, 1], strides: [1, 7] }, storages),
  });
  await inBoth(root, storages, async (bytes) => {
    const checkpoint = await openCheckpointFrom(memorySource(bytes));
    const read = async (name: string) => [...(await checkpoint.read(name))];
    assert.equal(await read('tail'), [9, 10, 11]);
    assert.equal(await read('transposed'), [0, 4, 8, 1, 5, 9, 2, 6, 10, 3, 7, 11]);
    assert.equal(await read('sliced'), [1, 3, 5, 7]);
    assert.equal(await read('scalar'), [5]);
    assert.equal(await read('empty'), []);
    assert.equal(await read('column'), [0, 1, 2]);
  });
});

test('half and bfloat16 storages are read as float32', async () => {
  const storages = {
    h: { type: 'HalfStorage', elements: 2, data: Buffer.from('003c00c0', 'hex') },
    b: { type: 'BFloat16Storage', elements: 2, data: Buffer.from('c03f00c0', 'hex') },
  };
  const root = dict({
    h: tensor({ storage: 'h', shape: [2] }, storages),
    b: tensor({ storage: 'b', shape: [2] }, storages),
  });
  await inBoth(root, storages, async (bytes) => {
    const checkpoint = await openCheckpointFrom(memorySource(bytes));
    assert.equal([...(await checkpoint.read('h'))], [1, -2]);
    assert.equal([...(await checkpoint.read('b'))], [1.5, -2]);
  });
});

test('parameters, sizes and numpy scalars are understood', async () => {
  const storages = { s: { type: 'FloatStorage', data: floats(3) } };
  const number = Buffer.alloc(8);
  number.writeDoubleLE(36.3);
  const scalar = reduce('numpy.core.multiarray', 'scalar', [
    new Code(Buffer.concat([reduce('numpy', 'dtype', ['f8', false, true]).bytes, Buffer.from('(K\x03tb')])),
    reduce('_codecs', 'encode', [number.toString('latin1'), 'latin1']),
  ]);
  const parameter = reduce('torch._utils', '_rebuild_parameter', [
    tensor({ storage: 's', shape: [1] }, storages),
    true,
    null,
  ]);
  const root = dict({ best_psnr: scalar, state_dict: dict({ w: parameter, size: reduce('torch', 'Size', [[1]]) }) });
  await inBoth(root, storages, async (bytes) => {
    const checkpoint = await openCheckpointFrom(memorySource(bytes));
    assert.equal(checkpoint.metadata, { best_psnr: '36.3' });
    assert.equal([...checkpoint.tensors.keys()], ['w']);
    assert.equal([...(await checkpoint.read('w'))], [3]);
  });
});

test('a zip64 archive is read', async () => {
  const storages = { s: { type: 'FloatStorage', data: floats(3, 4) } };
  const root = dict({ w: tensor({ storage: 's', shape: [2] }, storages) });
  const checkpoint = await openCheckpointFrom(memorySource(zipFile(root, storages, true)));
  assert.equal([...(await checkpoint.read('w'))], [3, 4]);
});

test('only the tensors asked for are read, not the optimizer state beside them', async () => {
  const moments = new Uint8Array(8 * 2 ** 20);
  const storages = {
    w: { type: 'FloatStorage', data: floats(1, 2, 3) },
    m: { type: 'FloatStorage', data: moments },
  };
  const root = dict({
    state_dict: dict({ w: tensor({ storage: 'w', shape: [3] }, storages) }),
    optimizer: dict({ state: dict({ m: tensor({ storage: 'm', shape: [moments.length / 4] }, storages) }) }),
  });
  await inBoth(root, storages, async (bytes) => {
    const source = memorySource(bytes);
    const checkpoint = await openCheckpointFrom(source);
    await checkpoint.read('w');
    assert.ok(source.bytesRead < 500_000, `${source.bytesRead} bytes were read`);
  });
});

test('a global outside the allow-list is refused as unsafe, by name, and nothing runs', async () => {
  const attacks: [string, Plain][] = [
    ['os.system', reduce('os', 'system', ['touch flavr-was-here'])],
    ['builtins.eval', reduce('builtins', 'eval', ['1'])],
    ['__builtin__.getattr', reduce('__builtin__', 'getattr', [reduce('os', 'system', ['x']), 'x'])],
    ['torch.load', reduce('torch', 'load', ['x'])],
    ['collections.OrderedDict.__class__', reduce('collections', 'OrderedDict.__class__', [])],
    ['model.FLAVR_arch.UNet_3D_3D', reduce('model.FLAVR_arch', 'UNet_3D_3D', [])],
    ['posix.system', new Code(Buffer.from('X\x05\x00\x00\x00posixX\x06\x00\x00\x00system\x93', 'latin1'))],
    ['os.popen', new Code(Buffer.from('(X\x01\x00\x00\x00xios\npopen\n', 'latin1'))],
  ];
  for (const [name, attack] of attacks) {
    for (const root of [attack, dict({ state_dict: attack }), dict({ optimizer: [attack], state_dict: dict({}) })]) {
      await inBoth(root, {}, async (bytes) => {
        const error = await refusal(bytes);
        assert.is(error.code, 'CHECKPOINT_UNSAFE');
        assert.ok(error.message.includes(name), error.message);
      });
    }
  }
});

test('opcodes that build objects are refused', async () => {
  for (const opcode of [0x81, 0x92, 0x6f, 0x82, 0x50, 0x49]) {
    const error = await refusal(legacyFile(new Code(Buffer.of(0x29, 0x29, opcode))));
    assert.is(error.code, 'CHECKPOINT_INVALID');
    assert.match(error.message, `opcode 0x${opcode.toString(16)}`);
  }
});

test('bombs are refused before they take memory', async () => {
  const huge = Buffer.from([0x58, 0xff, 0xff, 0xff, 0xff]); // a string of 4 GiB
  const huge8 = Buffer.from([0x8d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]);
  const many = Buffer.alloc(1_000_000, 0x7d); // a million empty dicts
  const long = Buffer.from([0x8a, 0xff]);
  // Thirty lists, each holding the one before twice: 2^30 elements to whoever walks them.
  const nested = [Buffer.from(']q\x00', 'latin1')];
  for (let i = 1; i <= 30; i++) nested.push(Buffer.from([0x5d, 0x71, i, 0x28, 0x68, i - 1, 0x68, i - 1, 0x65]));
  const bomb = new Code(Buffer.concat(nested));
  const marks = Buffer.alloc(400_000, 0x28);
  for (const bytes of [huge, huge8, many, long, marks]) {
    assert.is((await refusal(legacyFile(new Code(bytes)))).code, 'CHECKPOINT_INVALID');
    assert.is((await refusal(zipFile(new Code(bytes)))).code, 'CHECKPOINT_INVALID');
  }
  const rebuild = reduce('torch._utils', '_rebuild_tensor_v2', [bomb, bomb, bomb, bomb]);
  const storages = { s: { type: 'FloatStorage', data: floats(1) } };
  const named = tensor({ storage: 's', shape: [1] }, storages);
  await inBoth(dict({ w: rebuild, v: named }), storages, async (bytes) => {
    assert.match((await refusal(bytes)).message, 'tensor w');
  });
});

test('the same call on a large object, made a hundred thousand times, costs nothing', async () => {
  const text = Buffer.from(`X\x00\x00\x10\x00${'a'.repeat(0x100000)}q\x01X\x06\x00\x00\x00latin1\x86q\x02`, 'latin1');
  const encode = Buffer.concat([Buffer.from('c_codecs\nencode\nq\x00', 'latin1'), text]);
  const pairs = [
    Buffer.from('ccollections\nOrderedDict\nq\x00](', 'latin1'),
    Buffer.from('NN\x86'.repeat(50_000), 'latin1'),
  ];
  const dicts = Buffer.concat([...pairs, Buffer.from('e\x85q\x02', 'latin1')]);
  for (const bomb of [encode, dicts]) {
    const calls = Buffer.from(`](${'h\x00h\x02R'.repeat(90_000)}e`, 'latin1');
    await inBoth(new Code(Buffer.concat([bomb, calls])), {}, async (bytes) => {
      assert.is((await refusal(bytes)).code, 'CHECKPOINT_INVALID');
    });
  }
});

test('a tensor that does not fit its storage is refused by name, with both sizes', async () => {
  const storages = { s: { type: 'FloatStorage', data: floats(1, 2, 3, 4) } };
  const cases = [
    { shape: [5] },
    { shape: [4], offset: 1 },
    { shape: [2, 2], strides: [4, 1] },
    { shape: [2 ** 20, 2 ** 20], strides: [0, 0] },
    { shape: [2], strides: [1, 1] },
    { shape: [-1] },
    { shape: [2], strides: [-1] },
    { shape: [1], offset: -1 },
    { shape: [2 ** 53] },
  ];
  for (const view of cases) {
    await inBoth(dict({ 'some.weight': tensor({ storage: 's', ...view }, storages) }), storages, async (bytes) => {
      const error = await refusal(bytes);
      assert.is(error.code, 'CHECKPOINT_INVALID');
      assert.match(error.message, 'the tensor some.weight');
    });
  }
});

test('a storage whose size differs from what the pickle says is refused', async () => {
  const storages = { s: { type: 'FloatStorage', elements: 4, data: floats(1, 2, 3) } };
  const root = dict({ w: tensor({ storage: 's', shape: [4] }, storages) });
  assert.match((await refusal(zipFile(root, storages), 'w')).message, 'storage s should have 16 bytes, not 12');
  assert.match((await refusal(legacyFile(root, storages))).message, /storage s should be the 16 bytes/);
});

test('an archive that is no torch.save file, or is compressed, is refused', async () => {
  assert.match((await refusal(zip({ 'readme.txt': floats(1) }))).message, 'data.pkl is expected');
  assert.match((await refusal(zip({ 'a/data.pkl': floats(1) }, false, 8))).message, 'compressed');
});

test('a big-endian file is refused', async () => {
  const bytes = zip({ 'a/data.pkl': Buffer.from('\x80\x02}.', 'latin1'), 'a/byteorder': Buffer.from('big') });
  assert.match((await refusal(bytes)).message, 'byte order is "big"');
});

test('a file without a state dict is refused, saying where one was looked for', async () => {
  await inBoth(dict({ epoch: 3 }), {}, async (bytes) => {
    assert.match((await refusal(bytes)).message, 'no state dict, neither at its top nor under state_dict');
  });
});

test('an empty file and one of another kind are refused', async () => {
  assert.match((await refusal(Buffer.alloc(0))).message, 'neither those of torch.save nor of safetensors');
  assert.match(
    (await refusal(Buffer.from('an ordinary text file'))).message,
    'neither those of torch.save nor of safetensors',
  );
});

test('a path that does not exist or is a folder is MODEL_NOT_FOUND', async () => {
  for (const path of ['no/such/file.pth', GOLDENS]) {
    try {
      await openCheckpoint(path);
      assert.unreachable();
    } catch (error) {
      assert.is((error as FlavrError).code, 'MODEL_NOT_FOUND');
    }
  }
});

test.run();
