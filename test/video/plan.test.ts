import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { FlavrError } from '../../ts/errors.js';
import { rational } from '../../ts/rational.js';
import { AlphaTrack } from '../../ts/video/alpha.js';
import type { VideoProgress } from '../../ts/video/options.js';
import { expectedFrames, outputClock, requestedSteps, sourceOptions } from '../../ts/video/plan.js';
import { ProgressMeter } from '../../ts/video/progress-meter.js';
import type { VideoInfo } from '../../ts/video/types.js';

const info = {
  frameRate: rational(24),
  timeBase: rational(1, 12288),
  duration: rational(5),
  frameCount: 120,
} as VideoInfo;
const steps = (k: number, slow = 1) => ({ k, fps: undefined, slow });

test('k, fps and slow exclude each other, and none of them means the model decides', () => {
  assert.is(requestedSteps({}), undefined);
  assert.equal(requestedSteps({ k: 4 }), steps(4));
  assert.equal(requestedSteps({ slow: 2 }), steps(2, 2));
  assert.equal(requestedSteps({ fps: '60000/1001' }), { k: undefined, fps: rational(60000, 1001), slow: 1 });
  assert.equal(requestedSteps({ fps: rational(50) })?.fps, rational(50));
});

for (const [name, options, sentence] of [
  ['k and fps', { k: 2, fps: 60 }, /k and fps/],
  ['fps = 0', { fps: 0 }, /fps must be more than 0/],
  ['fps that is no fraction', { fps: {} as never }, /fps must be a fraction/],
  ['audio without slow', { audio: 'stretch' as const }, /give slow with it/],
] as const) {
  test(`${name} is refused`, () => {
    try {
      requestedSteps(options);
      assert.unreachable();
    } catch (error) {
      assert.instance(error, FlavrError);
      assert.is((error as FlavrError).code, 'BAD_ARGUMENT');
      assert.match((error as FlavrError).message, sentence);
    }
  });
}

test('times are taken exactly as written', () => {
  const { start, duration, inputFps } = sourceOptions({ start: 0.1, duration: '2.5', inputFps: '30000/1001' });
  assert.equal([start, duration, inputFps], [rational(1, 10), rational(5, 2), rational(30000, 1001)]);
  assert.throws(() => sourceOptions({ start: 'soon' }), /start must be a number/);
});

test('the declared rate is the source rate times k, the target rate, or for slow motion the source rate itself', () => {
  assert.equal(outputClock(info, steps(2)), { frameRate: rational(48), timeBase: rational(1, 24576) });
  assert.equal(outputClock(info, steps(4, 4)), { frameRate: rational(24), timeBase: rational(1, 12288) });
  assert.equal(outputClock(info, { k: undefined, fps: rational(60), slow: 1 }), {
    frameRate: rational(60),
    timeBase: undefined,
  });
});

test('the expected number of frames follows the container, as far as it tells', () => {
  const whole = { info, range: undefined, length: info.duration };
  assert.is(expectedFrames(whole, steps(2)), 239);
  assert.is(expectedFrames(whole, { k: undefined, fps: rational(60), slow: 1 }), 300);
  const range = { start: rational(1), end: undefined };
  assert.is(expectedFrames({ info, range, length: rational(1) }, steps(2)), 47);
  const vague = { ...info, duration: undefined, frameCount: undefined };
  assert.is(expectedFrames({ ...whole, info: vague, length: undefined }, steps(2)), undefined);
});

test('alpha is blended by position, and passes untouched at source frames', () => {
  const track = new AlphaTrack();
  const planes = [0, 100, 255].map((value) => new Uint8Array(3).fill(value));
  for (const plane of planes) track.push(plane);
  assert.is(track.at(rational(0)), planes[0]);
  assert.equal([...track.at(rational(1, 4))], [25, 25, 25]);
  assert.equal([...track.at(rational(3, 2))], [178, 178, 178]);
  assert.is(track.at(rational(2)), planes[2]);
});

test('progress comes at intervals with rate and time left, and once more at the end', () => {
  const reports: VideoProgress[] = [];
  let now = 0;
  const meter = new ProgressMeter(
    (report) => reports.push(report),
    100,
    () => now,
  );
  for (let frame = 1; frame <= 50; frame++) {
    now += 100;
    meter.update(frame, frame);
  }
  assert.ok(reports.length >= 15 && reports.length <= 20, `${reports.length}`);
  assert.is(reports.at(-1)!.framesTotal, 100);
  assert.ok(Math.abs(reports.at(-1)!.rate - 10) < 0.01);
  assert.ok(Math.abs(reports.at(-1)!.etaSeconds! - 5.1) < 0.2, `${reports.at(-1)!.etaSeconds}`);
  meter.update(60, 90, true);
  assert.is(reports.at(-1)!.framesTotal, 90);
  assert.is(reports.at(-1)!.etaSeconds, 0);
});

test.run();
