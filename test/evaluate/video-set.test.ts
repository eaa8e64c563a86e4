import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { openDataSet } from '../../ts/evaluate/data-set.js';
import { minterpolate } from '../../ts/evaluate/minterpolate.js';
import { psnr } from '../../ts/evaluate/psnr.js';
import { decimate } from '../../ts/evaluate/video-set.js';

const CUT = 'test/fixtures/video/bunny-cut.mp4';

/** Frame n is a picture of one pixel with the value n. */
const numbered = (n: number) => ({ data: new Uint8Array(3).fill(n), width: 1, height: 1 });

async function windows(count: number, factor: number, inputs = 4, cuts: number[] = []) {
  let read = 0;
  async function* frames() {
    for (let n = 0; n < count; n++) {
      read++;
      yield numbered(n);
    }
  }
  const found: string[] = [];
  let mostAhead = 0;
  const isCut = ({ data }: { data: Uint8Array }) => cuts.includes(data[0]!);
  for await (const sample of decimate(frames(), { sequence: 'clip', inputs, factor, isCut })) {
    const { window, truth } = await sample.load();
    const of = (list: readonly { data: Uint8Array }[]) => list.map(({ data }) => data[0]).join(' ');
    found.push(`${sample.id}: ${of(window)} > ${of(truth)}, ${sample.repeated}`);
    mostAhead = Math.max(mostAhead, read - Number(sample.id.slice(5)));
  }
  return { found, mostAhead };
}

test('every k-th frame is kept, and the others are the truth of the gaps', async () => {
  const { found } = await windows(11, 2);
  assert.equal(found, [
    'clip/0: 0 0 2 4 > 1, 1',
    'clip/2: 0 2 4 6 > 3, 0',
    'clip/4: 2 4 6 8 > 5, 0',
    'clip/6: 4 6 8 10 > 7, 0',
    'clip/8: 6 8 10 10 > 9, 1',
  ]);
});

test('with k = 4 a gap has three true frames; frames behind the last kept one are left over', async () => {
  const { found } = await windows(11, 4, 2);
  assert.equal(found, ['clip/0: 0 4 > 1 2 3, 0', 'clip/4: 4 8 > 5 6 7, 0']);
});

test('a gap with a cut in it is left out, and no window reaches over a cut', async () => {
  const { found } = await windows(13, 2, 4, [5]);
  assert.equal(found, [
    'clip/0: 0 0 2 4 > 1, 1',
    'clip/2: 0 2 4 4 > 3, 1',
    'clip/6: 6 6 8 10 > 7, 1',
    'clip/8: 6 8 10 12 > 9, 0',
    'clip/10: 8 10 12 12 > 11, 1',
  ]);
});

test('no more frames are read ahead than the window needs, however long the video', async () => {
  const { mostAhead, found } = await windows(200, 4);
  assert.is(found.length, 49);
  assert.is(mostAhead, 2 * 4 + 1);
});

test('a video has at most as many samples as gaps, and may be read again', async () => {
  const set = await openDataSet('video', CUT, { inputs: 4, factor: 2 });
  assert.is(set.count, 11);
  const ids = async () => {
    const list: string[] = [];
    for await (const { id } of set.samples()) list.push(id);
    return list;
  };
  const all = await ids();
  // The cut in front of frame 12 lies in the gap from 10 to 12.
  assert.equal(
    all,
    [0, 2, 4, 6, 8, 12, 14, 16, 18, 20].map((n) => `bunny-cut.mp4/${n}`),
  );
  assert.equal(await ids(), all);
  const limited = await openDataSet('video', CUT, { inputs: 4, factor: 2, limit: 3 });
  assert.is(limited.count, 3);
});

test('minterpolate follows motion: k-1 frames, each nearer to the truth than either neighbour', async () => {
  // A textured square moves by 8 pixels from frame to frame.
  const scene = (offset: number) => {
    const data = new Uint8Array(128 * 64 * 3).fill(90);
    for (let y = 16; y < 48; y++) {
      for (let x = 0; x < 32; x++) {
        const at = (y * 128 + 24 + offset + x) * 3;
        data.fill(120 + 60 * Math.sin(x / 3) * Math.cos(y / 4), at, at + 3);
      }
    }
    return { data, width: 128, height: 64 };
  };
  const window = [0, 8, 16, 24].map(scene);
  const method = await minterpolate();
  const frames = await method.interpolate(window, 4);
  assert.is(frames.length, 3);
  for (const [j, frame] of frames.entries()) {
    const truth = scene(10 + 2 * j);
    const score = psnr(frame, truth, 'rounded');
    for (const neighbour of [window[1]!, window[2]!]) assert.ok(score > psnr(neighbour, truth, 'rounded') + 3);
  }
});

test.run();
