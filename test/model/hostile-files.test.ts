import { readFileSync } from 'node:fs';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import { openCheckpointFrom } from '../../ts/model/checkpoint/open.js';
import { readModel } from '../../ts/model/load.js';
import { GOLDENS } from '../support/goldens.js';
import { memorySource } from '../support/memory-source.js';
import { safetensorsOf } from '../support/safetensors-file.js';
import { floats, tensor, zipFile } from '../support/torch-files.js';

const test = suite('damaged files');

/** A repeatable stream of whole numbers below `limit`. */
function randomNumbers(seed: number): (limit: number) => number {
  let state = seed;
  return (limit) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * limit);
  };
}

const storages = {
  '0': { type: 'FloatStorage', data: floats(1, 2, 3, 4, 5, 6) },
  '1': { type: 'FloatStorage', data: floats(7) },
};
const root = new Map([
  [
    'state_dict',
    new Map([
      ['module.a.weight', tensor({ storage: '0', shape: [2, 3] }, storages)],
      ['module.b.weight', tensor({ storage: '1', shape: [1] }, storages)],
    ]),
  ],
]);

const header = {
  __metadata__: { residual: 'mean' },
  'a.weight': { dtype: 'F32', shape: [2, 3], data_offsets: [0, 24] },
  'b.weight': { dtype: 'F16', shape: [1], data_offsets: [24, 26] },
};

const SMALL = {
  safetensors: safetensorsOf(header, new Uint8Array(26)),
  'zip torch.save': readFileSync('test/fixtures/checkpoints/protocol2.zip.pth'),
  'zip64 torch.save': zipFile(root, storages, true),
  'legacy torch.save': readFileSync('test/fixtures/checkpoints/protocol2.legacy.pth'),
  'protocol 5 torch.save': readFileSync('test/fixtures/checkpoints/protocol5.legacy.pth'),
};

/** Reads everything in the file; whatever is wrong with it must come as one of the two errors, and cheaply. */
async function survive(
  bytes: Uint8Array,
  what: string,
  read: (source: ReturnType<typeof memorySource>) => Promise<void>,
) {
  const source = memorySource(bytes);
  try {
    await read(source);
  } catch (error) {
    const code = error instanceof FlavrError ? error.code : undefined;
    assert.ok(code === 'CHECKPOINT_INVALID' || code === 'CHECKPOINT_UNSAFE', `${what}: ${(error as Error).stack}`);
  }
  assert.ok(source.longestRead <= bytes.length, `${what}: one read asked for ${source.longestRead} bytes`);
}

async function readTensors(source: ReturnType<typeof memorySource>): Promise<void> {
  const checkpoint = await openCheckpointFrom(source);
  for (const name of checkpoint.tensors.keys()) await checkpoint.read(name);
}

async function readNetwork(source: ReturnType<typeof memorySource>): Promise<void> {
  await readModel(await openCheckpointFrom(source));
}

for (const [format, intact] of Object.entries(SMALL)) {
  test(`a ${format} file cut at any byte is refused or harmless`, async () => {
    for (let length = 0; length < intact.length; length++) {
      await survive(intact.subarray(0, length), `cut at ${length}`, readTensors);
    }
  });

  test(`a ${format} file with random bytes changed is refused or harmless`, async () => {
    const random = randomNumbers(1);
    for (let round = 0; round < 3000; round++) {
      const bytes = Uint8Array.from(intact);
      const changes = Array.from({ length: 1 + random(4) }, () => [random(bytes.length), random(256)] as const);
      for (const [at, value] of changes) bytes[at] = value;
      await survive(bytes, `changes ${JSON.stringify(changes)}`, readTensors);
    }
  });

  test(`a ${format} file with a stretch repeated or lost is refused or harmless`, async () => {
    const random = randomNumbers(2);
    for (let round = 0; round < 1000; round++) {
      const [from, to] = [random(intact.length), random(intact.length)];
      const bytes = Buffer.concat([intact.subarray(0, from), intact.subarray(to)]);
      await survive(bytes, `${from} to ${to}`, readTensors);
    }
  });
}

for (const extension of ['legacy.pth', 'zip.pth', 'weights.safetensors']) {
  test(`a real network in ${extension} with bits flipped is refused, or still a network`, async () => {
    const intact = readFileSync(`${GOLDENS}/tiny8-k2.${extension}`);
    const random = randomNumbers(3);
    for (let round = 0; round < 60; round++) {
      const bytes = Uint8Array.from(intact);
      // Structure takes up less than 32 KiB at either end; flips among the weights would change numbers only.
      const nearEnd = extension === 'zip.pth' && round % 2 === 0;
      const at = nearEnd ? bytes.length - 1 - random(16_000) : random(20_000);
      bytes[at]! ^= 1 << random(8);
      await survive(bytes, `a bit of byte ${at}`, readNetwork);
    }
  });

  test(`a real network in ${extension} cut short is refused`, async () => {
    const intact = readFileSync(`${GOLDENS}/tiny8-k2.${extension}`);
    const random = randomNumbers(4);
    for (let round = 0; round < 20; round++) {
      const source = memorySource(intact.subarray(0, random(intact.length)));
      try {
        await readNetwork(source);
      } catch (error) {
        assert.is((error as FlavrError).code, 'CHECKPOINT_INVALID');
        continue;
      }
      assert.unreachable(`it was accepted with ${source.size} bytes`);
    }
  });
}

test.run();
