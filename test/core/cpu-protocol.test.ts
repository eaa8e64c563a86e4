import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { encodeHeader, MessageReader, type Reply, type Request } from '../../ts/backends/cpu-protocol.js';
import { Random } from '../support/random.js';

test('messages come out as they went in, in whatever pieces the pipe delivers them', () => {
  for (let seed = 1; seed <= 200; seed++) {
    const random = new Random(seed);
    const sent: { header: Request; payload: Uint8Array }[] = [];
    for (let slot = 0; slot < random.int(1, 8); slot++) {
      const payload = Uint8Array.from({ length: random.pick([0, 1, 7, 300]) }, () => random.int(0, 255));
      sent.push({ header: { op: 'upload', bytes: payload.length, slot }, payload });
    }
    const wire = Buffer.concat(sent.flatMap(({ header, payload }) => [encodeHeader(header), payload]));
    const came: { header: Request; payload: Buffer }[] = [];
    const reader = new MessageReader<Request>(
      ({ bytes }) => {
        const first = random.int(0, bytes);
        return [new Uint8Array(first), new Uint8Array(bytes - first)];
      },
      (header, pieces) => came.push({ header, payload: Buffer.concat(pieces) }),
    );
    for (let at = 0; at < wire.length; ) {
      const length = random.int(1, 60);
      reader.read(wire.subarray(at, at + length));
      at += length;
    }
    assert.is(came.length, sent.length, `seed ${seed}`);
    for (const [i, { header, payload }] of came.entries()) {
      assert.equal(header, sent[i]!.header);
      assert.is(Buffer.compare(payload, sent[i]!.payload), 0, `seed ${seed}, message ${i}`);
    }
  }
});

test('an absurd header is refused before memory is taken', () => {
  const reader = new MessageReader<Reply>(
    () => [],
    () => {},
  );
  const header = Buffer.alloc(4);
  header.writeUInt32LE(0xffffffff);
  assert.throws(() => reader.read(header), /4294967295 bytes/);
});

test.run();
