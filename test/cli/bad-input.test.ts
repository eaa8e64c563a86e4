import { execFileSync } from 'node:child_process';
import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { flavr, SAMPLE } from '../support/cli.js';

// Each case runs the real command line; each must end with its code, a sentence, and nothing left behind.

let folder: string;
test.before.each(() => {
  folder = mkdtempSync(join(tmpdir(), 'flavr-bad-'));
});
test.after.each(() => rmSync(folder, { recursive: true, force: true }));

const sample = () => readFileSync(SAMPLE);
function file(name: string, bytes: Uint8Array | string): string {
  const path = join(folder, name);
  writeFileSync(path, bytes);
  return path;
}

async function refuses(words: string[], code: string, sentence: RegExp, exit = 1) {
  const before = readdirSync(folder, { recursive: true }).sort();
  const { code: status, stderr, stdout } = await flavr(words, { cwd: folder });
  assert.is(status, exit, stderr);
  const line = stderr.split('\n').find((text) => text.startsWith(`flavr: ${code}: `));
  assert.ok(line, `expected ${code}, got: ${stderr}`);
  assert.match(line, sentence);
  assert.is(stdout, '');
  assert.equal(readdirSync(folder, { recursive: true }).sort(), before, 'something was left behind');
}

test('no such file', () =>
  refuses(['interpolate', 'nowhere.mp4', '-o', 'out.mp4'], 'VIDEO_UNREADABLE', /nowhere\.mp4/));

for (const { name, sentence } of [
  { name: '-', sentence: /pipes/ },
  { name: 'https://example.org/clip.mp4', sentence: /local files/ },
  { name: 'frames/%04d.png', sentence: /folder/ },
]) {
  test(`not a file but what elsewhere stands for one: ${name}`, () =>
    refuses(['interpolate', name, '-o', 'out.mp4'], 'VIDEO_UNREADABLE', sentence));
}

test('a pipe to write to', () => refuses(['interpolate', SAMPLE, '-o', '-'], 'BAD_ARGUMENT', /pipes/, 2));

test('a text file named .mp4', () => {
  file('notes.mp4', 'Dear diary,\n'.repeat(100));
  return refuses(['interpolate', 'notes.mp4', '-o', 'out.mp4'], 'VIDEO_UNREADABLE', /notes\.mp4/);
});

test('an empty file', () => {
  file('empty.mp4', '');
  return refuses(['interpolate', 'empty.mp4', '-o', 'out.mp4'], 'VIDEO_UNREADABLE', /empty/);
});

test('a video cut off before its first frame', () => {
  file('short.mp4', sample().subarray(0, 6000));
  return refuses(['interpolate', 'short.mp4', '-o', 'out.mp4'], 'VIDEO_UNREADABLE', /short\.mp4/);
});

test('sound without pictures', () => {
  const wav = Buffer.alloc(44 + 8820);
  wav.write('RIFF', 0);
  wav.writeUInt32LE(36 + 8820, 4);
  wav.write('WAVEfmt ', 8);
  wav.writeUInt32LE(16, 16);
  wav.writeUInt16LE(1, 20);
  wav.writeUInt16LE(1, 22);
  wav.writeUInt32LE(44_100, 24);
  wav.writeUInt32LE(88_200, 28);
  wav.writeUInt16LE(2, 32);
  wav.writeUInt16LE(16, 34);
  wav.write('data', 36);
  wav.writeUInt32LE(8820, 40);
  file('song.wav', wav);
  return refuses(['interpolate', 'song.wav', '-o', 'out.mp4'], 'VIDEO_UNREADABLE', /video/);
});

test('a folder of images of two sizes', async () => {
  mkdirSync(join(folder, 'frames'));
  for (const [i, width] of [32, 32, 48].entries()) {
    const image = sharp({ create: { width, height: 32, channels: 3, background: 'grey' } });
    await image.png().toFile(join(folder, 'frames', `${i}.png`));
  }
  await refuses(
    ['interpolate', 'frames', '-o', 'out.mp4'],
    'VIDEO_UNSUPPORTED',
    /2\.png.*48x32.*32x32|32x32.*2\.png.*48x32/,
  );
});

test('a factor the model cannot do, with those that it can', () =>
  refuses(['interpolate', SAMPLE, '-o', 'out.mp4', '-k', '3'], 'UNSUPPORTED_FACTOR', /3.*2, 4, 8/));

test('a factor that is no number', () =>
  refuses(['interpolate', SAMPLE, '-o', 'out.mp4', '-k', 'many'], 'BAD_ARGUMENT', /-k.*many/, 2));

test('two ways to say the rate at once', () =>
  refuses(['interpolate', SAMPLE, '-o', 'out.mp4', '-k', '2', '--fps', '60'], 'BAD_ARGUMENT', /k.*fps/, 2));

test('a model that does not exist', () =>
  refuses(['interpolate', SAMPLE, '-o', 'out.mp4', '--model', 'huge-9x'], 'MODEL_NOT_FOUND', /huge-9x.*mini-2x/));

test('a checkpoint that names a function outside the allow-list runs nothing', async () => {
  // protocol 2: posix.system('touch pwned'), as pickle would run it.
  const command = 'touch pwned';
  file(
    'evil.pth',
    Buffer.concat([
      Buffer.from([0x80, 2]),
      Buffer.from('cposix\nsystem\n'),
      Buffer.from([0x58, command.length, 0, 0, 0]),
      Buffer.from(command),
      Buffer.from([0x85, 0x52, 0x2e]),
    ]),
  );
  await refuses(['interpolate', SAMPLE, '-o', 'out.mp4', '--model', 'evil.pth'], 'CHECKPOINT_UNSAFE', /posix\.system/);
});

test('an output that exists is kept, unless --overwrite', async () => {
  const path = file('out.mp4', 'precious');
  await refuses(['interpolate', SAMPLE, '-o', 'out.mp4'], 'OUTPUT_EXISTS', /out\.mp4.*overwrite/);
  assert.is(readFileSync(path, 'utf8'), 'precious');
});

test('a folder that holds anything else is never replaced by images, and what it holds is named', async () => {
  mkdirSync(join(folder, 'mine'));
  const path = file('mine/notes.txt', 'precious');
  for (const more of [[], ['--overwrite']]) {
    await refuses(['interpolate', SAMPLE, '-o', 'mine', ...more], 'OUTPUT_EXISTS', /mine holds "notes\.txt".*never/);
  }
  assert.is(readFileSync(path, 'utf8'), 'precious');
});

test('an empty word in place of a file', async () => {
  await refuses(['interpolate', SAMPLE, '-o', ''], 'BAD_ARGUMENT', /--output was given an empty value/, 2);
  await refuses(['interpolate', '', '-o', 'out.mp4'], 'BAD_ARGUMENT', /input must be a path; got ''/, 2);
});

test('the output is the input, by whatever name', async () => {
  const path = file('clip.mp4', sample());
  symlinkSync(path, join(folder, 'symbolic.mp4'));
  linkSync(path, join(folder, 'hard.mp4'));
  for (const output of ['clip.mp4', './clip.mp4', 'symbolic.mp4', 'hard.mp4']) {
    await refuses(['interpolate', 'clip.mp4', '-o', output, '--overwrite'], 'BAD_ARGUMENT', /same file|input/, 2);
  }
  assert.equal(readFileSync(path), sample());
});

test('a folder that does not exist to write into', () =>
  refuses(['interpolate', SAMPLE, '-o', 'no/such/folder/out.mp4'], 'VIDEO_UNWRITABLE', /no\/such\/folder/));

test('what cannot be written is found out before a model is made ready', async () => {
  const { stderr } = await flavr(['interpolate', SAMPLE, '-o', 'no/such/folder/out.mp4'], { cwd: folder });
  assert.not.match(stderr, /The model runs on/);
});

test('an extension no container has', () =>
  refuses(['interpolate', SAMPLE, '-o', 'out.xyz'], 'VIDEO_UNSUPPORTED', /xyz/));

test('an encoder that FFmpeg does not have', () =>
  refuses(['interpolate', SAMPLE, '-o', 'out.mp4', '--codec', 'libnothing'], 'VIDEO_UNSUPPORTED', /libnothing/));

test('a backend that is not there is not replaced by another', () =>
  refuses(
    ['interpolate', SAMPLE, '-o', 'out.mp4', '--backend', 'tensorrt'],
    'BACKEND_UNAVAILABLE',
    /native addon|NVIDIA driver|TensorRT/,
  ));

test('a full disk', async () => {
  const disk = join(folder, 'disk');
  mkdirSync(disk);
  try {
    execFileSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', 'tmpfs', disk], { stdio: 'ignore' });
  } catch {
    console.log('SKIPPED a full disk: mounting a small file system is not permitted here');
    return;
  }
  const script = 'mount -t tmpfs -o size=32k tmpfs "$0" && "$@"; status=$?; ls "$0"; exit $status';
  const { code, stdout, stderr } = await flavr(
    ['interpolate', SAMPLE, '-o', join(disk, 'out.mp4'), '--duration', '0.4'],
    {
      wrapper: ['unshare', '-rm', 'sh', '-c', script, disk],
    },
  );
  assert.is(code, 1);
  assert.match(stderr, /^flavr: VIDEO_UNWRITABLE: .*(space|full)/m);
  assert.is(stdout, '', 'something was left behind');
});

test('a terminal that is closed leaves nothing either', async () => {
  const { code } = await flavr(['interpolate', SAMPLE, '-o', 'out.mp4'], {
    cwd: folder,
    onFirstNote: (child) => child.kill('SIGHUP'),
  });
  assert.is(code, 130);
  assert.equal(readdirSync(folder), []);
});

test('an interruption that is told twice, as npx and timeout do, says what it did all the same', async () => {
  const { code, stderr } = await flavr(['interpolate', SAMPLE, '-o', 'out.mp4'], {
    cwd: folder,
    onFirstNote: (child) => {
      child.kill('SIGINT');
      child.kill('SIGTERM');
    },
  });
  assert.is(code, 130, stderr);
  assert.match(stderr, /^flavr: ABORTED: /m);
  assert.equal(readdirSync(folder), []);
});

test('Ctrl-C in the middle ends with 130 within a second and leaves nothing', async () => {
  let interrupted = 0n;
  const { code, stderr } = await flavr(['interpolate', SAMPLE, '-o', 'out.mp4'], {
    cwd: folder,
    onFirstNote: (child) => {
      interrupted = process.hrtime.bigint();
      child.kill('SIGINT');
    },
  });
  const milliseconds = Number(process.hrtime.bigint() - interrupted) / 1e6;
  console.log(`NOTE Ctrl-C ended the command after ${milliseconds.toFixed(0)} ms`);
  assert.is(code, 130, stderr);
  assert.match(stderr, /^flavr: ABORTED: /m);
  assert.equal(readdirSync(folder), []);
});

test.run();
