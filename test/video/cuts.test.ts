import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CutDetector } from '../../ts/video/cuts.js';
import { openSource } from '../../ts/video/source.js';

const WIDTH = 96;
const HEIGHT = 64;

function picture(color: (x: number, y: number) => readonly [number, number, number]): Uint8Array {
  const frame = new Uint8Array(WIDTH * HEIGHT * 3);
  for (let y = 0; y < HEIGHT; y++) {
    for (let x = 0; x < WIDTH; x++) frame.set(color(x, y), (y * WIDTH + x) * 3);
  }
  return frame;
}

/** A scene of broad structures that is `shift` pixels further on. */
const scene = (seed: number, shift = 0) =>
  picture((x, y) => {
    const wave = (n: number) => 128 + 100 * Math.sin(((x + shift) * n + y * (seed + 2)) / 17 + seed * n);
    return [wave(1 + seed), wave(2), wave(0.5 * seed)];
  });

const flat = (value: number) => picture(() => [value, value, value]);

function cutsOf(frames: Iterable<Uint8Array>, threshold?: number): number[] {
  const detector = new CutDetector(WIDTH, HEIGHT, threshold);
  return [...frames].flatMap((frame, index) => (detector.next(frame).cut ? [index] : []));
}

const range = (count: number) => Array.from({ length: count }, (_, index) => index);

test('a change of scene is a cut, wherever it comes', () => {
  const moving = (seed: number) => range(5).map((n) => scene(seed, 2 * n));
  assert.equal(cutsOf([...moving(1), ...moving(3), ...moving(0)]), [5, 10]);
  assert.equal(cutsOf([scene(1), scene(3)]), [1]);
});

test('steady motion is none, slow or fast', () => {
  for (const speed of [0, 1, 4, 10]) assert.equal(cutsOf(range(12).map((n) => scene(2, n * speed))), [], `${speed}`);
});

test('fades of a flat picture are none, a jump of its colour is one', () => {
  assert.equal(cutsOf(range(40).map((n) => flat(4 * n))), []);
  assert.equal(cutsOf([...range(5).map(() => flat(30)), ...range(5).map(() => flat(200))]), [5]);
});

test('a cut to black and back is two cuts', () => {
  assert.equal(cutsOf([scene(1), scene(1), flat(0), flat(0), scene(1), scene(1)]), [2, 4]);
});

test('the threshold moves the decision: 1 never cuts', () => {
  const frames = [scene(1), scene(1), scene(3)];
  assert.equal(cutsOf(frames), [2]);
  assert.equal(cutsOf(frames, 1), []);
  assert.equal(cutsOf([scene(2, 0), scene(2, 1)], 0), [1]);
});

test('frames smaller than the grid of comparison are judged too', () => {
  const detector = new CutDetector(2, 1);
  const scores = [
    [0, 0, 0, 0, 0, 0],
    [0, 0, 0, 0, 0, 0],
    [255, 0, 0, 0, 255, 0],
  ].map((frame) => detector.next(Uint8Array.from(frame)));
  assert.equal(
    scores.map(({ score }) => Number.isFinite(score)),
    [true, true, true],
  );
});

test('the one cut of a real clip is found, and nothing else scores near it', async () => {
  const source = await openSource('test/fixtures/video/bunny-cut.mp4');
  const detector = new CutDetector(source.info.width, source.info.height);
  const scores: number[] = [];
  for await (const { data } of source.frames()) scores.push(detector.next(data).score);
  await source.close();
  assert.is(scores.length, 24);
  assert.ok(scores[12]! > 0.6, `${scores[12]}`);
  scores[12] = 0;
  assert.ok(Math.max(...scores) < 0.1, `${Math.max(...scores)}`);
});

test.run();
