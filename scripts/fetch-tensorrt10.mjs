// Puts libnvinfer and its ONNX parser of TensorRT 10.15 into build/tensorrt-10: for the test of what a machine with
// TensorRT but without a driver says. 534 MB from Maven Central, so no part of the usual tests (`npm run check:full`).
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const VERSION = '10.15-1.5.13';
const URL = `https://repo1.maven.org/maven2/org/bytedeco/tensorrt/${VERSION}/tensorrt-${VERSION}-linux-x86_64-redist.jar`;
const SHA256 = '8543a6bda95c5d42141d409e1b74024b444e96334a3815d53997cc4ec3cfce83';
const UNPACK = `
import hashlib, pathlib, shutil, sys, zipfile
jar, target, sha256 = sys.argv[1:]
with open(jar, 'rb') as file:
    found = hashlib.file_digest(file, 'sha256').hexdigest() if hasattr(hashlib, 'file_digest') else hashlib.sha256(file.read()).hexdigest()
if found != sha256: sys.exit(f'the SHA-256 of {jar} is {found}, expected {sha256}')
with zipfile.ZipFile(jar) as archive:
    for name in archive.namelist():
        base = name.rsplit('/', 1)[-1]
        if base in ('libnvinfer.so.10', 'libnvonnxparser.so.10'):
            with archive.open(name) as source, open(pathlib.Path(target) / base, 'wb') as out: shutil.copyfileobj(source, out)
`;

const target = join(dirname(dirname(fileURLToPath(import.meta.url))), 'build', 'tensorrt-10');
if (!existsSync(join(target, 'libnvonnxparser.so.10'))) {
  const scratch = mkdtempSync(join(tmpdir(), 'flavr-tensorrt10-'));
  const jar = join(scratch, 'tensorrt.jar');
  mkdirSync(target, { recursive: true });
  try {
    for (const [command, ...args] of [
      ['curl', '-sSfL', '-o', jar, URL],
      ['python3', '-c', UNPACK, jar, target, SHA256],
    ]) {
      const run = spawnSync(command, args, { stdio: 'inherit' });
      if (run.status !== 0) throw new Error(`${command} failed for ${URL}`);
    }
  } finally {
    rmSync(scratch, { recursive: true, force: true });
  }
}
console.log(target);
