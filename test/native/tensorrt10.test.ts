import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { probe } from '../../ts/engine/probe.js';
import type { FlavrError } from '../../ts/errors.js';
import { loadNative } from '../../ts/native.js';
import { buildRequest, testWith } from './support.js';

const withTensorRt10 = testWith(test, 'addon', 'tensorrt10');
const FOLDER = resolve('build/tensorrt-10');

withTensorRt10('TensorRT 10.15 is found with its parser, without a driver', async () => {
  const report = await probe({ tensorrtPath: FOLDER });
  const { family, version, parserProblem } = report.libraries[0]!;
  assert.equal(
    { family, version, parserProblem },
    { family: 'tensorrt-10', version: '10.15.1', parserProblem: undefined },
  );
});

withTensorRt10('its builder without a driver fails with its own error 35 and with what is missing', async () => {
  const { driver } = await probe({ tensorrtPath: FOLDER });
  if (!('problem' in driver)) return;
  const request = buildRequest({ library: `${FOLDER}/libnvinfer.so.10`, model: new Uint8Array(10) });
  const error: FlavrError = await loadNative()
    .build(request, () => {})
    .done.then(
      () => assert.unreachable('should have failed'),
      (e) => e,
    );
  assert.is(error.code, 'BACKEND_UNAVAILABLE');
  assert.match(
    error.message,
    /TensorRT 10\.15\.1 could not start its builder: .*error: 35.*No NVIDIA driver was found/,
  );
});

test.run();
