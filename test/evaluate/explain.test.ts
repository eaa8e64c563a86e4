import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { explainWindow, loadGatedModel } from '../../ts/evaluate/explain.js';
import { overlay } from '../../ts/evaluate/explain-pages.js';
import { windowAt } from '../../ts/evaluate/window-at.js';
import { rational } from '../../ts/rational.js';
import { maxDifference } from '../graph/support.js';
import { flavr, SAMPLE } from '../support/cli.js';
import { GOLDENS, readGolden } from '../support/goldens.js';
import { rejects } from '../support/rejects.js';
import { temporaryFolder } from '../video/make-video.js';

const tiny = `${GOLDENS}/tiny8-k2.weights.safetensors`;
const CUT = 'test/fixtures/video/bunny-cut.mp4';

test('the maps are the activations behind the gates of the official network, of the channels with extreme factors', async () => {
  const { frames, width, height, taps } = await readGolden('tiny8-k2');
  const window = frames.map((data) => ({ data, width, height }));
  const { gates, maps } = await explainWindow(await loadGatedModel(tiny), window, { threads: 2 });
  assert.equal(
    gates.map(({ stage }) => stage),
    ['layer1', 'layer2', 'layer3', 'layer4', 'decoder0', 'decoder1', 'decoder2', 'decoder3', 'decoder4'],
  );
  for (const [i, { stage, weights, most, least }] of gates.entries()) {
    assert.ok(weights.every((weight) => weight > 0 && weight < 1));
    assert.is(weights[most], Math.max(...weights));
    assert.is(weights[least], Math.min(...weights));
    for (const [channel, { steps }] of [
      [most, maps[i]!.most],
      [least, maps[i]!.least],
    ] as const) {
      assert.is(steps.length, 4);
      for (const step of steps) assert.is(step.width * step.scale, width);
      if (!stage.startsWith('decoder')) continue;
      const { shape, data } = taps.get(stage)!;
      const [time, tall, wide] = shape.slice(-3) as [number, number, number];
      steps.forEach(({ values }, t) => {
        const at = (channel * time + t) * tall * wide;
        assert.ok(maxDifference(values, data.subarray(at, at + tall * wide)) < 1e-4, `${stage}, step ${t}`);
      });
    }
  }
});

test('a graph has no gates that could be named', async () => {
  const failure = await loadGatedModel('test/fixtures/graph/exported-window.onnx').catch((error) => error);
  assert.is(failure.code, 'BAD_ARGUMENT');
  assert.match(failure.message, /checkpoint/);
});

const indices = async (path: string, seconds: readonly [number, number], rate: number) => {
  const { times } = await windowAt(path, rational(...seconds), 4);
  return times.map((time) => Math.round(time * rate));
};

test('the window is that of the gap at the time; ends and cuts repeat the nearest frame', async () => {
  // Late enough that reading does not begin at the start.
  assert.equal(await indices(SAMPLE, [221, 100], 25), [54, 55, 56, 57]);
  assert.equal(await indices(SAMPLE, [5, 25], 25), [4, 5, 6, 7]);
  assert.equal(await indices(SAMPLE, [0, 1], 25), [0, 0, 1, 2]);
  assert.equal(await indices(SAMPLE, [117, 50], 25), [57, 58, 59, 59]);
  assert.equal(await indices(CUT, [10, 24], 24), [9, 10, 11, 11]);
  assert.equal(await indices(CUT, [12, 24], 24), [12, 12, 13, 14]);
});

test('a time in a cut, or in no gap, is refused', async () => {
  const cut = await windowAt(CUT, rational(11, 24), 4).catch((error) => error);
  assert.is(cut.code, 'BAD_ARGUMENT');
  assert.match(cut.message, /cut/);
  const end = await windowAt(SAMPLE, rational(59, 25), 4).catch((error) => error);
  assert.match(end.message, /no gap/);
  const far = await windowAt(SAMPLE, rational(99), 4).catch((error) => error);
  assert.match(far.message, /no gap at 99 s/);
});

test('a window that is none is refused before anything runs', async () => {
  await rejects(windowAt(SAMPLE, 1 as never, 4), 'BAD_ARGUMENT', /fraction/);
  await rejects(windowAt(SAMPLE, rational(1), 3), 'BAD_ARGUMENT', /even number of frames, from 2; got 3/);
  const model = await loadGatedModel(tiny);
  const picture = { data: new Uint8Array(8 * 8 * 3), width: 8, height: 8 };
  await rejects(explainWindow(model, []), 'BAD_ARGUMENT', /4 frames; got 0/);
  await rejects(explainWindow(model, [picture, picture, picture, { ...picture, width: 4 }]), 'BAD_FRAME', /4x8/);
  await rejects(
    explainWindow(model, new Array(4).fill(picture.data)),
    'BAD_FRAME',
    /^Frame 0 of a window must be a picture \{ data, width, height \}; got Uint8Array/,
  );
});

test('heat lies where the map is large, each value over its own pixels', () => {
  const grey = { data: new Uint8Array(4 * 2 * 3), width: 4, height: 2 };
  const values = Float32Array.of(0, -2);
  const { data } = overlay(grey, { values, width: 2, height: 1, scale: 2 }, 2);
  const red = [...data].filter((_, i) => i % 3 === 0);
  assert.equal(red.slice(0, 4), red.slice(4));
  assert.equal(red.slice(0, 2), [0, 0]);
  assert.ok(red[2] === red[3] && red[2]! > 150);
});

test('flavr explain writes pictures of every stage and a page that shows them all', async () => {
  const out = join(temporaryFolder(), 'gates');
  const { code, stdout, stderr } = await flavr(['explain', CUT, '--at', '0.2', '-o', out, '--model', tiny, '--json']);
  assert.is(code, 0, stderr);
  const result = JSON.parse(stdout) as { gates: { stage: string; weights: number[] }[]; files: string[] };
  assert.equal(readdirSync(out).sort(), [...result.files].sort());
  assert.is(result.files.length, 4 + 9 * 2 * 4 + 1);
  const page = readFileSync(join(out, 'index.html'), 'utf8');
  assert.equal(
    [...page.matchAll(/src="([^"]+)"/g)].map((match) => match[1]).sort(),
    result.files.filter((name) => name.endsWith('.png')).sort(),
  );
  assert.match(page, /one window of bunny-cut\.mp4/);
  assert.not.match(page, /<script|https?:/);
  const { width, height } = await sharp(join(out, 'decoder4-least-3.png')).metadata();
  assert.equal([width, height], [160, 90]);

  const again = await flavr(['explain', CUT, '--at', '0.2', '-o', out, '--model', tiny]);
  assert.match(again.stderr, /OUTPUT_EXISTS/);
});

test.run();
