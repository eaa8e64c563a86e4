// The driver is stood in for by a library with its name and functions, so that a machine without a GPU can be shown others.
import { resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { NativeDriver } from '../../ts/native.js';
import { compileDriver, inChild, temporaryFolder, testWith } from './support.js';

const withAddon = testWith(test, 'addon');

/** What the addon reports of a driver made of `bodies`; every other function succeeds and does nothing. */
function driverOf(bodies: Readonly<Record<string, string>>, without: readonly string[] = []): NativeDriver {
  const folder = temporaryFolder();
  compileDriver(folder, bodies, without);
  const source =
    `import { createRequire } from 'node:module';` +
    `const addon = createRequire(import.meta.url)(${JSON.stringify(resolve('build/Release/flavr.node'))});` +
    'console.log(JSON.stringify((await addon.probe([])).driver))';
  return inChild(source, { LD_LIBRARY_PATH: folder }) as NativeDriver;
}

const ERROR_TEXT = {
  cuGetErrorName: 'int cuGetErrorName(int e, const char** s) { *s = "CUDA_ERROR_STUB"; return 0; }',
  cuGetErrorString: 'int cuGetErrorString(int e, const char** s) { *s = "the stub says no"; return 0; }',
};

withAddon('version and devices are reported as the driver gives them', () => {
  const driver = driverOf({
    cuDriverGetVersion: 'int cuDriverGetVersion(int* v) { *v = 12080; return 0; }',
    cuDeviceGetCount: 'int cuDeviceGetCount(int* n) { *n = 2; return 0; }',
    cuDeviceGet: 'int cuDeviceGet(int* d, int i) { *d = i; return 0; }',
    cuDeviceGetName: 'int cuDeviceGetName(char* s, int n, int d) { strncpy(s, d ? "Second" : "First", n); return 0; }',
    cuDeviceTotalMem_v2: 'int cuDeviceTotalMem_v2(size_t* b, int d) { *b = (d + 1) * 8589934592ul; return 0; }',
    cuDeviceGetAttribute:
      'int cuDeviceGetAttribute(int* v, int a, int d) {' +
      '*v = a == 13 ? 2520000 : a == 16 ? 128 : a == 75 ? (d ? 13 : 8) : (d ? 0 : 9); return 0; }',
  });
  assert.ok('devices' in driver);
  const { fp16, fp32 } = driver.devices[0]!.peakTeraflops!;
  assert.equal([Math.round(fp16), Math.round(fp32)], [330, 83]);
  assert.equal(JSON.parse(JSON.stringify(driver, (key, value) => (key === 'peakTeraflops' ? undefined : value))), {
    cudaVersion: '12.8',
    devices: [
      { name: 'First', computeCapability: '8.9', memoryBytes: 8589934592 },
      { name: 'Second', computeCapability: '13.0', memoryBytes: 17179869184 },
    ],
  });
});

withAddon('a driver that cannot start is told with its own words', () => {
  const driver = driverOf({ ...ERROR_TEXT, cuInit: 'int cuInit(unsigned f) { return 100; }' });
  assert.ok('problem' in driver);
  assert.match(driver.problem, /could not start: CUDA_ERROR_STUB: the stub says no\./);
});

for (const [result, fix] of [
  [34, /toolkit's stand-in for a driver: take its folder out of LD_LIBRARY_PATH/],
  [100, /Check nvidia-smi and CUDA_VISIBLE_DEVICES/],
  [802, /nvidia-fabricmanager/],
  [803, /changed while the machine ran: restart it/],
  [999, /modprobe nvidia_uvm/],
] as const) {
  withAddon(`a driver that cannot start with error ${result} is told with what mends that`, () => {
    const driver = driverOf({ cuInit: `int cuInit(unsigned f) { return ${result}; }` });
    assert.ok('problem' in driver);
    assert.match(driver.problem, fix);
  });
}

withAddon('a driver that lacks a function is too old, and the function is named', () => {
  const driver = driverOf({}, ['cuGraphInstantiateWithFlags']);
  assert.ok('problem' in driver);
  assert.match(driver.problem, /lacks cuGraphInstantiateWithFlags, so it is too old/);
});

test.run();
