import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { convertSubtitle } from '../../ts/video/subtitles.js';

const timedText = (text: string) => {
  const data = Buffer.from(text);
  const length = Buffer.alloc(2);
  length.writeUInt16BE(data.length);
  return Buffer.concat([length, data]);
};
const ass = (text: string) => Buffer.from(`3,0,Default,,0,0,0,,${text}`);

test('reads the text of ASS events without their overrides, commas kept', () => {
  assert.is(convertSubtitle(ass('{\\an8}One, two\\Nthree'), 'ass', 'subrip')!.toString(), 'One, two\nthree');
});

test('writes timed text with its length, and without tags', () => {
  assert.equal(convertSubtitle(Buffer.from('<i>ça va</i>'), 'subrip', 'mov_text'), timedText('ça va'));
});

test('reads timed text without the boxes behind it', () => {
  const data = Buffer.concat([timedText('hello'), Buffer.from([0, 0, 0, 8]), Buffer.from('styl')]);
  assert.is(convertSubtitle(data, 'mov_text', 'subrip')!.toString(), 'hello');
});

test('escapes what WebVTT would take for markup, and keeps the tags it knows', () => {
  const cue = convertSubtitle(Buffer.from('<b>a & b</b> <font color="red">--> c</font>\n\nd'), 'subrip', 'webvtt');
  assert.is(cue!.toString(), '<b>a &amp; b</b> --&gt; c\nd');
});

test('reads WebVTT escapes', () => {
  assert.is(convertSubtitle(Buffer.from('a &lt; b &amp;lt; c'), 'webvtt', 'subrip')!.toString(), 'a < b &lt; c');
});

test('shows nothing for empty events', () => {
  for (const [data, from] of [
    [timedText(''), 'mov_text'],
    [Buffer.alloc(0), 'mov_text'],
    [ass('{\\p1}'), 'ass'],
    [Buffer.from(' \n'), 'subrip'],
  ] as const) {
    assert.is(convertSubtitle(data, from, 'subrip'), undefined);
  }
});

test('does not read beyond damaged timed text', () => {
  assert.is(convertSubtitle(Buffer.from([0xff, 0xff, 0x61]), 'mov_text', 'subrip')!.toString(), 'a');
});

test.run();
