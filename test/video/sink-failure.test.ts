import { spawnSync } from 'node:child_process';
import { mkdir, readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError, type FlavrErrorCode } from '../../ts/errors.js';
import { rational } from '../../ts/rational.js';
import { openSink } from '../../ts/video/sink.js';
import { buildSource } from './build-source.js';
import { demux, evenTimes, picture, sinkOptions, videoInfo, withFolder, writeFrames } from './sink-helper.js';

const RATE = rational(25);
const FRAME = { data: picture(videoInfo(), 0), alpha: undefined, time: rational(0), duration: rational(1, 25) };

async function rejects(work: Promise<unknown>, code: FlavrErrorCode, message = /./): Promise<void> {
  try {
    await work;
  } catch (error) {
    assert.instance(error, FlavrError, String(error));
    assert.is((error as FlavrError).code, code, (error as FlavrError).message);
    assert.match((error as FlavrError).message, message);
    return;
  }
  assert.unreachable(`${code} was expected`);
}

test('has the final name only when it is finished', () =>
  withFolder(async (folder) => {
    const sink = await openSink(join(folder, 'out.mp4'), sinkOptions());
    await writeFrames(sink, videoInfo(), evenTimes(60, RATE), rational(1, 25));
    assert.is((await readdir(folder)).includes('out.mp4'), false);
    await sink.finish();
    assert.equal(await readdir(folder), ['out.mp4']);
  }));

test('takes names as long as the file system does', () =>
  withFolder(async (folder) => {
    for (const name of [`${'x'.repeat(251)}.mp4`, `${'映'.repeat(83)}.mp4`, '😀'.repeat(63)]) {
      const sink = await openSink(join(folder, name), sinkOptions());
      await sink.write(FRAME);
      await sink.finish();
      assert.ok((await readdir(folder)).includes(name), name);
    }
    assert.is((await readdir(folder)).length, 3);
  }));

for (const name of ['out.mp4', 'out.gif', 'out']) {
  test(`leaves nothing behind when ${name} is aborted, before, between and in the middle of frames`, () =>
    withFolder(async (folder) => {
      const untouched = await openSink(join(folder, name), sinkOptions());
      await untouched.abort();
      const between = await openSink(join(folder, name), sinkOptions());
      await writeFrames(between, videoInfo(), evenTimes(5, RATE), rational(1, 25));
      await between.abort();
      await between.abort();
      const middle = await openSink(join(folder, name), sinkOptions());
      const write = middle.write(FRAME);
      const finish = middle.finish();
      await Promise.allSettled([write, finish, middle.abort()]);
      assert.equal(await readdir(folder), []);
      await rejects(between.write(FRAME), 'ABORTED');
    }));
}

test('stops at the signal of the caller', () =>
  withFolder(async (folder) => {
    const controller = new AbortController();
    const sink = await openSink(join(folder, 'out.mp4'), sinkOptions({ signal: controller.signal }));
    await sink.write(FRAME);
    controller.abort(new Error('enough'));
    await rejects(sink.write({ ...FRAME, time: rational(1, 25) }), 'ABORTED');
    await rejects(sink.finish(), 'ABORTED');
    assert.equal(await readdir(folder), []);
    await rejects(openSink(join(folder, 'out.mp4'), sinkOptions({ signal: controller.signal })), 'ABORTED');
    assert.equal(await readdir(folder), []);
  }));

test('does not replace a file unless told to', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.mp4');
    await writeFile(path, 'precious');
    await rejects(openSink(path, sinkOptions()), 'OUTPUT_EXISTS');
    const sink = await openSink(path, sinkOptions({ overwrite: true }));
    await sink.write(FRAME);
    assert.is(await readFile(path, 'utf8'), 'precious');
    await sink.finish();
    assert.ok((await readFile(path)).length > 500);
    assert.equal(await readdir(folder), ['out.mp4']);
  }));

test('does not replace a file that came up while it worked', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'out.mp4');
    const sink = await openSink(path, sinkOptions());
    await sink.write(FRAME);
    await writeFile(path, 'precious');
    await rejects(sink.finish(), 'OUTPUT_EXISTS');
    assert.is(await readFile(path, 'utf8'), 'precious');
    assert.equal(await readdir(folder), ['out.mp4']);
  }));

test('replaces a folder of its own images only, and only when told to', () =>
  withFolder(async (folder) => {
    const path = join(folder, 'frames');
    const write = async (overwrite: boolean) => {
      const sink = await openSink(path, sinkOptions({ overwrite }));
      await sink.write(FRAME);
      await sink.finish();
    };
    await mkdir(path);
    await write(false);
    await rejects(write(false), 'OUTPUT_EXISTS');
    await write(true);
    await writeFile(join(path, 'thesis.txt'), 'precious');
    await rejects(write(true), 'OUTPUT_EXISTS');
    assert.equal(await readdir(folder), ['frames']);
  }));

test('refuses to write over its own source, however that is named', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    await buildSource(source, { muxer: 'mp4', frames: 3 });
    await symlink(source, join(folder, 'link.mp4'));
    for (const path of [source, join(folder, 'link.mp4'), join(folder, '.', 'in.mp4')]) {
      await rejects(openSink(path, sinkOptions({ copyFrom: source, overwrite: true })), 'BAD_ARGUMENT');
    }
  }));

test('says why a file cannot be created', () =>
  withFolder(async (folder) => {
    await writeFile(join(folder, 'file'), '');
    await rejects(openSink(join(folder, 'none', 'out.mp4'), sinkOptions()), 'VIDEO_UNWRITABLE', /does not exist/);
    await rejects(openSink(join(folder, 'file', 'out.mp4'), sinkOptions()), 'VIDEO_UNWRITABLE', /not a folder/);
    await rejects(openSink(join(folder, 'none', 'out'), sinkOptions()), 'VIDEO_UNWRITABLE', /does not exist/);
    await mkdir(join(folder, 'is.mp4'));
    await rejects(openSink(join(folder, 'is.mp4'), sinkOptions({ overwrite: true })), 'VIDEO_UNWRITABLE', /folder/);
    assert.equal((await readdir(folder)).sort(), ['file', 'is.mp4']);
  }));

test('refuses what cannot be encoded, before anything is written', () =>
  withFolder(async (folder) => {
    const open = (name: string, changes: Parameters<typeof sinkOptions>[0]) =>
      openSink(join(folder, name), sinkOptions(changes));
    await rejects(open('out.xyz', {}), 'VIDEO_UNSUPPORTED', /mp4/);
    await rejects(open('out.mp4', { codec: 'libnothing' }), 'VIDEO_UNSUPPORTED', /libx264/);
    await rejects(open('out.mp4', { codec: 'aac' }), 'VIDEO_UNSUPPORTED');
    await rejects(open('out.mp4', { encoderOptions: { presett: 'fast' } }), 'BAD_ARGUMENT', /presett/);
    await rejects(open('out.mp4', { encoderOptions: { preset: 'warp' } }), 'VIDEO_UNSUPPORTED', /warp/);
    await rejects(open('out.mp4', { encoderOptions: { pix_fmt: 'pal8' } }), 'BAD_ARGUMENT', /yuv420p/);
    const uneven = rational(27_021 * 8, 901);
    await rejects(open('out.avi', { frameRate: uneven }), 'VIDEO_UNSUPPORTED', /65535 ticks/);
    await rejects(open('out.avi', { crf: 20 }), 'BAD_ARGUMENT', /crf/);
    await rejects(open('out.mp4', { copyFrom: join(folder, 'none.mp4') }), 'VIDEO_UNREADABLE');
    await rejects(open('out.webm', { codec: 'libx264' }), 'VIDEO_UNSUPPORTED', /webm file cannot hold .*h264/);
    await rejects(open('out.mp4', { slow: 2 }), 'BAD_ARGUMENT', /sound/);
    await rejects(open('out.mp4', { slow: 0, audio: 'drop' }), 'BAD_ARGUMENT', /above 0/);
    await rejects(open('out', { codec: 'tiff' }), 'VIDEO_UNSUPPORTED', /png/);
    await rejects(open('out', { codec: 'jpeg', encoderOptions: { quality: 'high' } }), 'BAD_ARGUMENT', /quality/);
    assert.equal(await readdir(folder), []);
  }));

test('refuses frames of another size, out of order, or with alpha that nobody announced', () =>
  withFolder(async (folder) => {
    const writes = async (...frames: (typeof FRAME | { alpha: Uint8Array })[]) => {
      const sink = await openSink(join(folder, 'out.mp4'), sinkOptions());
      for (const frame of frames) await sink.write({ ...FRAME, ...frame });
    };
    await rejects(writes({ ...FRAME, data: new Uint8Array(5) }), 'BAD_FRAME', /9216 bytes/);
    await rejects(writes(FRAME, FRAME), 'BAD_FRAME', /order/);
    await rejects(writes({ alpha: new Uint8Array(64 * 48) }), 'BAD_FRAME', /alpha/);
    assert.equal(await readdir(folder), []);
  }));

test('takes nothing more once it is finished', () =>
  withFolder(async (folder) => {
    const sink = await openSink(join(folder, 'out.mp4'), sinkOptions());
    await sink.write(FRAME);
    await sink.finish();
    await rejects(sink.write(FRAME), 'DISPOSED');
    await sink.abort();
    const file = await demux(join(folder, 'out.mp4'));
    assert.is(file.video.packets.length, 1);
    await file.close();
  }));

const CHILD = fileURLToPath(new URL('./sink-child.js', import.meta.url));

test('takes its unfinished file away when the process exits in the middle', () =>
  withFolder(async (folder) => {
    for (const name of ['out.mp4', 'out']) {
      const child = spawnSync(process.execPath, [CHILD, join(folder, name), 'exit'], { encoding: 'utf8' });
      assert.match(child.stdout, /part/, child.stderr);
    }
    assert.equal(await readdir(folder), []);
  }));

const OUTPUT = (name: string) => JSON.stringify(new URL(`../../ts/video/${name}.js`, import.meta.url).href);

/** Runs a program that may put functions of its own in place of those of `fs` and `fsPromises`, and then calls `patched`. */
function exiting(program: string, folder: string): void {
  const text = `
    import fs from 'node:fs';
    import fsPromises from 'node:fs/promises';
    import { syncBuiltinESMExports as patched } from 'node:module';
    const { OutputFolder } = await import(${OUTPUT('output-folder')});
    const folder = process.argv[1];
    const output = await OutputFolder.create(folder + '/out', true, () => true);
    fs.writeFileSync(output.temporary + '/new', '');
    ${program}`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', text, folder], { encoding: 'utf8' });
  assert.is(child.status, 0, child.stderr);
}

test('takes away what a thread still writes into its folder while the process exits', () =>
  withFolder(async (folder) => {
    exiting(
      `const { rmSync } = fs;
      fs.rmSync = (...words) => {
        fs.rmSync = rmSync;
        patched();
        throw Object.assign(new Error('a file came up'), { code: 'ENOTEMPTY' });
      };
      patched();
      process.exit(0);`,
      folder,
    );
    assert.equal(await readdir(folder), []);
  }));

test('leaves the new folder and nothing of the old one when the process exits while that is removed', () =>
  withFolder(async (folder) => {
    await mkdir(join(folder, 'out'));
    await writeFile(join(folder, 'out', 'old'), '');
    exiting('fsPromises.rm = () => process.exit(0); patched(); await output.commit();', folder);
    assert.equal(await readdir(folder, { recursive: true }), ['out', 'out/new']);
  }));

for (const name of ['out.mp4', 'out.mkv', 'out.gif', 'out']) {
  test(`says that the disk is full, and leaves it as it was (${name})`, () =>
    withFolder(async (folder) => {
      const script = 'mount -t tmpfs -o size=200k none "$0" && "$1" "$2" "$0/$3" fill && ls -A "$0"';
      const run = ['-rm', 'sh', '-c', script, folder, process.execPath, CHILD, name];
      const probe = spawnSync('unshare', ['-rm', 'mount', '-t', 'tmpfs', '-o', 'size=200k', 'none', folder]);
      if (probe.status !== 0) {
        console.log('SKIPPED full disk: this machine does not let a process mount a file system of its own');
        return;
      }
      const child = spawnSync('unshare', run, { encoding: 'utf8' });
      assert.match(child.stdout, /^VIDEO_UNWRITABLE: .*full/, child.stderr);
      assert.is(child.stdout.trim().split('\n').length, 1, child.stdout);
    }));
}

test.run();
