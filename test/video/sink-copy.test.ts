import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { rational, toNumber } from '../../ts/rational.js';
import { openSink } from '../../ts/video/sink.js';
import type { SinkOptions } from '../../ts/video/types.js';
import { buildSource } from './build-source.js';
import { makeVideo } from './make-video.js';
import { read } from './read-video.js';
import {
  av,
  byTime,
  demux,
  evenTimes,
  type ReadStream,
  sinkOptions,
  videoInfo,
  withFolder,
  writeFrames,
} from './sink-helper.js';

const RATE = rational(25);
const COVER = await sharp({ create: { width: 8, height: 8, channels: 3, background: 'teal' } })
  .png()
  .toBuffer();

/** Writes 50 frames beside what is copied from `source`, and reads the result. */
async function rewrite(path: string, source: string, changes: Partial<SinkOptions> = {}, frames = evenTimes(50, RATE)) {
  const sink = await openSink(path, sinkOptions({ copyFrom: source, ...changes }));
  await writeFrames(sink, videoInfo(), frames, rational(1, 25));
  await sink.finish();
  return { ...(await demux(path)), warnings: sink.warnings };
}

for (const extension of ['mp4', 'mov', 'mkv', 'ts']) {
  test(`copies every audio stream packet for packet into .${extension}, in sync`, () =>
    withFolder(async (folder) => {
      const source = join(folder, `in.${extension}`);
      const muxer = { mp4: 'mp4', mov: 'mov', mkv: 'matroska', ts: 'mpegts' }[extension]!;
      await buildSource(source, {
        muxer,
        audio: [
          { encoder: 'aac', language: 'eng' },
          { encoder: 'aac', language: 'deu', rate: 44_100, channels: 1 },
        ],
      });
      const before = await demux(source);
      const frames = byTime(before.video.packets).map(({ pts }) => pts);
      const after = await rewrite(join(folder, `out.${extension}`), source, {}, frames);
      assert.is(after.of('audio').length, 2);
      for (const [index, { packets, metadata }] of before.of('audio').entries()) {
        const copied = after.of('audio')[index]!;
        assert.equal(
          copied.packets.map(({ hash }) => hash),
          packets.map(({ hash }) => hash),
        );
        assert.is(copied.metadata.language, metadata.language);
        const shown = (file: typeof before, packet: { pts: { num: bigint; den: bigint } }) =>
          toNumber(packet.pts) - Math.min(...file.video.packets.map(({ pts }) => toNumber(pts)));
        for (const [n, packet] of packets.entries()) {
          const drift = Math.abs(shown(after, copied.packets[n]!) - shown(before, packet));
          assert.ok(drift < 0.001, `packet ${n} is ${drift} s off`);
        }
      }
      assert.equal(after.warnings, []);
      await before.close();
      await after.close();
    }));
}

test('starts the file where the source starts, B-frames or not', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    await buildSource(source, { muxer: 'mp4', audio: [{ encoder: 'aac' }] });
    const before = await demux(source);
    const after = await rewrite(join(folder, 'out.mp4'), source);
    assert.is(after.input.startTime, before.input.startTime);
    assert.is(after.video.stream.startTime, 0n);
    assert.is(after.of('audio')[0]!.stream.startTime, before.of('audio')[0]!.stream.startTime);
    await before.close();
    await after.close();
  }));

test('starts the file at 0 where all of the source starts late, as cut recordings do', () =>
  withFolder(async (folder) => {
    const source = await makeVideo(join(folder, 'in.mkv'), {
      frames: Array.from({ length: 10 }, (_, n) => 90_000 + n),
    });
    const frames = evenTimes(3, RATE, rational(3600));
    const file = await rewrite(join(folder, 'out.mp4'), source, {}, frames);
    assert.equal(
      byTime(file.video.packets).map(({ pts }) => toNumber(pts)),
      [0, 0.04, 0.08],
    );
    assert.is(file.input.duration, 120_000n);
    await file.close();
  }));

test('re-encodes sound only where the container demands it, and says so', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    await buildSource(source, { muxer: 'mp4', audio: [{ encoder: 'aac', language: 'eng' }] });
    const file = await rewrite(join(folder, 'out.webm'), source);
    const [audio] = file.of('audio');
    assert.is(audio!.codec, 'opus');
    assert.is(audio!.metadata.language, 'eng');
    assert.ok(Math.abs(toNumber(audio!.packets.at(-1)!.pts) + 0.02 - 2) < 0.04);
    assert.match(file.warnings.join(' '), /re-encoded from aac with libopus/);
    await file.close();
  }));

test('cuts what is copied to the range, to the packet, and shifts it to the new start', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    await buildSource(source, { muxer: 'mp4', audio: [{ encoder: 'aac' }] });
    const start = rational(2, 5);
    const end = rational(6, 5);
    const file = await rewrite(join(folder, 'out.mp4'), source, { range: { start, end } }, evenTimes(20, RATE, start));
    const before = await demux(source);
    const inRange = before
      .of('audio')[0]!
      .packets.filter(({ pts }) => toNumber(pts) >= toNumber(start) && toNumber(pts) < toNumber(end));
    const copied = file.of('audio')[0]!.packets;
    assert.equal(
      copied.map(({ hash }) => hash),
      inRange.map(({ hash }) => hash),
    );
    assert.ok(Math.abs(toNumber(copied[0]!.pts) - (toNumber(inRange[0]!.pts) - 0.4)) < 1e-4);
    assert.is(file.video.stream.startTime, 0n);
    await before.close();
    await file.close();
  }));

test('stretches the sound with the picture in slow motion', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    await buildSource(source, { muxer: 'mp4', audio: [{ encoder: 'aac' }] });
    const file = await rewrite(join(folder, 'out.mp4'), source, { slow: 4, audio: 'stretch' });
    const last = file.of('audio')[0]!.packets.at(-1)!;
    assert.ok(Math.abs(toNumber(last.pts) - 8) < 0.1, `sound ends at ${toNumber(last.pts)} s`);
    assert.is(Number(file.video.stream.duration) / file.video.stream.timeBase.den, 8);
    await file.close();
  }));

test('drops the sound in slow motion where asked', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    await buildSource(source, { muxer: 'mp4', audio: [{ encoder: 'aac' }] });
    const file = await rewrite(join(folder, 'out.mp4'), source, { slow: 2, audio: 'drop' });
    assert.is(file.of('audio').length, 0);
    assert.equal(file.warnings, []);
    await file.close();
  }));

const SUBRIP = {
  codec: 'SUBRIP' as const,
  language: 'fra',
  cues: [
    { at: 200, length: 500, data: Buffer.from('<i>Bonjour</i>') },
    { at: 1000, length: 600, data: Buffer.from('deux\nlignes') },
  ],
};

test('copies subtitles, attachments, languages and titles in Matroska', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mkv');
    const font = Buffer.from('not really a font');
    await buildSource(source, {
      muxer: 'matroska',
      audio: [{ encoder: 'aac' }],
      subtitles: [SUBRIP],
      attachments: [{ filename: 'sans.ttf', mimetype: 'application/x-truetype-font', data: font }],
      metadata: { title: 'A title', artist: 'Someone' },
    });
    const file = await rewrite(join(folder, 'out.mkv'), source);
    const [subtitles] = file.of('subtitle');
    assert.is(subtitles!.codec, 'subrip');
    assert.is(subtitles!.metadata.language, 'fra');
    assert.equal(
      subtitles!.packets.map(({ data, pts, duration }) => [data.toString(), toNumber(pts), toNumber(duration)]),
      [
        ['<i>Bonjour</i>', 0.2, 0.5],
        ['deux\nlignes', 1, 0.6],
      ],
    );
    const [attachment] = file.of('attachment');
    assert.is(attachment!.metadata.filename, 'sans.ttf');
    assert.equal(attachment!.stream.codecpar.extradata, font);
    const metadata = file.input.metadata!.getAll();
    assert.is(metadata.title, 'A title');
    assert.is(metadata.ARTIST ?? metadata.artist, 'Someone');
    assert.equal(file.warnings, []);
    await file.close();
  }));

test('keeps a cover picture, as a stream in MP4 and as an attached file in Matroska', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    await buildSource(source, { muxer: 'mp4', audio: [{ encoder: 'aac' }], cover: COVER });
    let input = source;
    for (const name of ['first.mkv', 'second.mkv', 'third.mp4']) {
      const file = await rewrite(join(folder, name), input);
      const [, picture] = file.of('video');
      assert.ok(picture!.stream.hasDisposition(av.AV_DISPOSITION_ATTACHED_PIC), name);
      assert.equal(picture!.packets[0]!.data, COVER, name);
      assert.equal(file.warnings, []);
      await file.close();
      input = join(folder, name);
    }
    const file = await rewrite(join(folder, 'last.webm'), source);
    assert.is(file.of('video').length, 1);
    assert.match(file.warnings.join(' '), /video stream 2 \(png\) is left out/);
    await file.close();
  }));

test('keeps the names of several cover pictures', () =>
  withFolder(async (folder) => {
    const covers = ['cover.png', 'small_cover.png'];
    const source = join(folder, 'in.mkv');
    const attachments = covers.map((filename) => ({ filename, mimetype: 'image/png', data: COVER }));
    await buildSource(source, { muxer: 'matroska', attachments });
    const file = await rewrite(join(folder, 'out.mkv'), source);
    const [, ...pictures] = file.of('video');
    assert.equal(
      pictures.map(({ metadata }) => metadata.filename),
      covers,
    );
    await file.close();
  }));

test('leaves out what the source says of its own encoder, however that is spelled', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mkv');
    await makeVideo(source, { metadata: { ENCODER: 'Lavc57.1 libx264', title: 'Angle 1' } });
    const file = await rewrite(join(folder, 'out.mkv'), source);
    assert.is(file.video.metadata.title, 'Angle 1');
    assert.is(file.video.metadata.ENCODER, undefined);
    await file.close();
  }));

test('gives sound that is encoded anew its times to the end, also where the decoder does not', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.wmv');
    await buildSource(source, { muxer: 'asf', audio: [{ encoder: 'wmav2' }] });
    const file = await rewrite(join(folder, 'out.mp4'), source);
    const times = file.of('audio')[0]!.packets.map(({ pts }) => toNumber(pts));
    for (const [n, time] of times.slice(1).entries()) {
      assert.ok(
        time - times[n]! > 0.01,
        `packet ${n + 1} at ${time} s comes ${time - times[n]!} s after the one before`,
      );
    }
    await file.close();
  }));

test('shows a subtitle that reaches into the range from its start on, and none beyond its end', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mkv');
    await buildSource(source, { muxer: 'matroska', audio: [{ encoder: 'aac' }], subtitles: [SUBRIP] });
    const start = rational(2, 5);
    const range = { start, end: rational(6, 5) };
    const file = await rewrite(join(folder, 'out.mkv'), source, { range }, evenTimes(20, RATE, start));
    assert.equal(
      file.of('subtitle')[0]!.packets.map(({ pts, duration }) => [toNumber(pts), toNumber(duration)]),
      [
        [0, 0.3],
        [0.6, 0.2],
      ],
    );
    await file.close();
  }));

test('converts text subtitles where the container has another form', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mkv');
    await buildSource(source, { muxer: 'matroska', subtitles: [SUBRIP] });
    const file = await rewrite(join(folder, 'out.mp4'), source);
    const [subtitles] = file.of('subtitle');
    assert.is(subtitles!.codec, 'mov_text');
    assert.is(subtitles!.metadata.language, 'fra');
    const shown = subtitles!.packets.filter(({ data }) => data.readUInt16BE(0) > 0);
    assert.equal(
      shown.map(({ data, pts }) => [data.toString('utf8', 2, 2 + data.readUInt16BE(0)), toNumber(pts)]),
      [
        ['Bonjour', 0.2],
        ['deux\nlignes', 1],
      ],
    );
    const back = await rewrite(join(folder, 'back.mkv'), join(folder, 'out.mp4'));
    assert.equal(
      back.of('subtitle')[0]!.packets.map(({ data, duration }) => [data.toString(), toNumber(duration)]),
      [
        ['Bonjour', 0.5],
        ['deux\nlignes', 0.6],
      ],
    );
    await file.close();
    await back.close();
  }));

test('names the streams that the container cannot hold, and writes the rest', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mkv');
    await buildSource(source, {
      muxer: 'matroska',
      audio: [{ encoder: 'aac' }],
      subtitles: [SUBRIP],
      attachments: [{ filename: 'sans.ttf', mimetype: 'application/x-truetype-font', data: Buffer.from('font') }],
    });
    const file = await rewrite(join(folder, 'out.ts'), source);
    assert.is(file.of('audio').length, 1);
    assert.match(file.warnings.join('\n'), /subtitle stream 2 \(subrip, fra\) is left out/);
    assert.match(file.warnings.join('\n'), /attachment stream 3 \(ttf, sans\.ttf\) is left out/);
    await file.close();
  }));

test('leaves out copied packets that the container refuses, and says how many', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mkv');
    await buildSource(source, { muxer: 'matroska', audio: [{ encoder: 'ac3', damaged: [20, 62] }] });
    const file = await rewrite(join(folder, 'out.mp4'), source);
    const before = await demux(source);
    const hashes = ({ packets }: ReadStream) => packets.map(({ hash }) => hash);
    const intact = hashes(before.of('audio')[0]!).filter((_, number) => number !== 20 && number !== 62);
    assert.is(intact.length, 61);
    assert.equal(hashes(file.of('audio')[0]!), intact);
    assert.is(file.video.packets.length, 50);
    assert.match(file.warnings.join(' '), /audio stream 1 is damaged: 2 of its 63 packets are left out/);
    await before.close();
    await file.close();
  }));

for (const encoder of ['ac3', 'eac3', 'aac', 'flac']) {
  test(`leaves out ${encoder} packets that cannot be decoded, and says how many`, () =>
    withFolder(async (folder) => {
      const source = join(folder, 'in.mkv');
      await buildSource(source, { muxer: 'matroska', audio: [{ encoder, damaged: [5, 6] }] });
      const file = await rewrite(join(folder, 'out.webm'), source);
      const last = file.of('audio')[0]!.packets.at(-1)!;
      assert.ok(Math.abs(toNumber(last.pts) - 2) < 0.05, `sound ends at ${toNumber(last.pts)} s`);
      assert.match(file.warnings.join(' '), /audio stream 1 is damaged: \d+ of its packets could not be decoded/);
      await file.close();
    }));
}

test('re-encodes sound whose channels and rate change in the middle', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.ts');
    const forms = [
      { channels: 2, rate: 48_000 },
      { channels: 6, rate: 48_000 },
      { channels: 2, rate: 44_100 },
    ];
    const parts: Buffer[] = [];
    for (const form of forms) {
      await buildSource(source, { muxer: 'mpegts', audio: [{ encoder: 'ac3', ...form }] });
      parts.push(await readFile(source));
    }
    await writeFile(source, Buffer.concat(parts));
    const file = await rewrite(join(folder, 'out.webm'), source, {}, evenTimes(150, RATE));
    const times = file.of('audio')[0]!.packets.map(({ pts }) => toNumber(pts));
    assert.ok(Math.abs(times.at(-1)! - 6) < 0.2, `sound ends at ${times.at(-1)} s`);
    for (const [n, time] of times.slice(1).entries()) {
      assert.ok(Math.abs(time - times[n]! - 0.02) < 0.002, `packet ${n + 1} comes ${time - times[n]!} s after another`);
    }
    assert.equal(file.warnings.length, 1);
    await file.close();
  }));

test('leaves out sound that is dated hours behind the video, in place of encoding silence up to there', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mkv');
    await buildSource(source, { muxer: 'matroska', audio: [{ encoder: 'aac', jump: 50 }] });
    const file = await rewrite(join(folder, 'out.webm'), source);
    const last = file.of('audio')[0]!.packets.at(-1)!;
    assert.ok(toNumber(last.pts) > 0.9 && toNumber(last.pts) < 1.2, `sound ends at ${toNumber(last.pts)} s`);
    assert.match(
      file.warnings.join(' '),
      /audio stream 1 is damaged: \d+ of its packets are dated far behind all others/,
    );
    await file.close();
  }));

test('takes what lies around a part that cannot be read', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.ogv');
    await buildSource(source, { muxer: 'ogg', video: 'libtheora', audio: [{ encoder: 'libvorbis' }], frames: 250 });
    const bytes = await readFile(source);
    const half = bytes.length / 2;
    await writeFile(source, Buffer.concat([bytes.subarray(0, half), Buffer.alloc(70_000), bytes.subarray(half)]));
    const file = await rewrite(join(folder, 'out.mkv'), source, {}, evenTimes(250, RATE));
    const last = file.of('audio')[0]!.packets.at(-1)!;
    assert.ok(Math.abs(toNumber(last.pts) - 10) < 0.1, `sound ends at ${toNumber(last.pts)} s`);
    const warning = /^Parts of .*in\.ogv could not be read \(Invalid data/;
    assert.equal(file.warnings.filter((text) => warning.test(text)).length, 1);
    const { source: video, frames } = await read(source);
    assert.ok(frames.length > 200 && frames.length < 250, `${frames.length} frames`);
    assert.match(video.warnings.find((text) => warning.test(text)) ?? '', warning);
    await file.close();
  }));

test('writes sound beside the picture it belongs to, so that neither waits in memory', () =>
  withFolder(async (folder) => {
    const source = join(folder, 'in.mp4');
    await buildSource(source, { muxer: 'mp4', audio: [{ encoder: 'aac' }], frames: 250 });
    const file = await rewrite(join(folder, 'out.mp4'), source, {}, evenTimes(250, RATE));
    const inFile = [...file.video.packets, ...file.of('audio')[0]!.packets].sort((a, b) => Number(a.pos - b.pos));
    for (const [index, packet] of inFile.entries()) {
      const before = inFile[index - 1] ?? packet;
      assert.ok(Math.abs(toNumber(packet.dts) - toNumber(before.dts)) < 0.5);
    }
    await file.close();
  }));

test.run();
