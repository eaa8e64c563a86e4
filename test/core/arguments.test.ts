import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as evaluation from '../../ts/evaluate/index.js';
import * as flavr from '../../ts/index.js';
import { interpolateVideo as typedInterpolateVideo } from '../../ts/video/index.js';
import { fakeBackend, fakeModel } from '../support/fake-backend.js';
import { rejects } from '../support/rejects.js';

// As plain JavaScript sees the package: without types.
// biome-ignore lint/suspicious/noExplicitAny: arguments that the types forbid are what is tested here.
type Untyped = Record<string, (...args: any[]) => any>;
const { loadModel, exportOnnx, buildEngine, readEngine, readEngineHeader, writeEngine } = flavr as unknown as Untyped;
const { probe, readCalibration, encodeCalibration, parseRational, toNumber } = flavr as unknown as Untyped;
const { open } = flavr.Interpolator as unknown as { open: Untyped[string] };
const { calibrate, evaluateMethods, explainWindow, modelMethod, openDataSet, windowAt } =
  evaluation as unknown as Untyped;
const { psnr, ssim, dataSetNames, reportHtml, reportLines, reportCsv, worstSamples, compareScores } =
  evaluation as unknown as Untyped;
const interpolateVideo = typedInterpolateVideo as unknown as Untyped[string];

const SIZE = { width: 16, height: 16 };
const SAMPLE = 'samples/bunny.mp4';
const GRID = { data: new Uint8Array(12), width: 2, height: 2 };
const video = (options: unknown) => interpolateVideo!(SAMPLE, 'never-written.mp4', options);
const openWith = (options: unknown) => open!({ ...SIZE, ...(options as object) });
const build = (options: unknown) =>
  buildEngine!('mini-2x', { ...SIZE, backend: 'tensorrt-rtx', ...(options as object) });

const REFUSED: readonly [string, () => unknown, RegExp][] = [
  ['exportOnnx without a spec', () => exportOnnx!('mini-2x'), /^exportOnnx takes its options .*got undefined\.$/],
  ['exportOnnx of no model', () => exportOnnx!(5, SIZE), /^model must be .*loadModel gave; got 5\.$/],
  ['a graph without a size', () => exportOnnx!('mini-2x', { width: 16 }), /^height must be .*got undefined\.$/],
  ['a batch of 0', () => exportOnnx!('mini-2x', { ...SIZE, batch: 0 }), /^batch must be .*from 1; got 0\.$/],
  ['an unknown lowering', () => exportOnnx!('mini-2x', { ...SIZE, lowering: '4d' }), /3d, 2d or winograd; got '4d'/],
  ['loadModel of nothing', () => loadModel!(), /^nameOrPath must be a path; got undefined\.$/],
  ['loadModel of a null option', () => loadModel!('mini-2x', null), /^loadModel .*got null\.$/],
  ['an unknown residual', () => loadModel!('mini-2x', { residual: 'both' }), /mean or blend; got 'both'/],
  ['buildEngine without options', () => buildEngine!('mini-2x'), /^buildEngine takes .*got undefined\.$/],
  [
    'buildEngine without a model',
    () => buildEngine!(undefined, { backend: 'tensorrt-rtx', ...SIZE }),
    /^model must be/,
  ],
  ['an engine of no backend', () => buildEngine!('mini-2x', SIZE), /^backend must be tensorrt or .*got undefined/],
  ['an engine for the CPU', () => build({ backend: 'cpu' }), /tensorrt or tensorrt-rtx; got 'cpu'/],
  ['a GPU that RTX does not know', () => build({ computeCapabilities: ['9.0'] }), /7\.5, 8\.0.*got \[ '9\.0' \]/],
  ['an optimisation level past 5', () => build({ optimizationLevel: 6 }), /from 0 to 5; got 6/],
  ['a negative workspace', () => build({ workspaceBytes: -1 }), /workspaceBytes.*got -1/],
  ['a device that is no number of one', () => build({ device: 1.5 }), /device.*got 1\.5/],
  ['an engine file of no path', () => readEngine!(5), /^path must be a path; got 5\.$/],
  ['an engine header of no path', () => readEngineHeader!(), /^path must be/],
  ['no engine to write', () => writeEngine!('never-written.engine', {}), /^engine must be .*got \{\}\.$/],
  ['probe of a misspelt option', () => probe!({ tensorRtPath: '/x' }), /no option 'tensorRtPath'; it has tensorrtPath/],
  ['a calibration of no path', () => readCalibration!({}), /^path must be/],
  ['a calibration of no model', () => encodeCalibration!({ ranges: new Map() }), /^calibration must be .*got \{/],
  ['no calibration to encode', () => encodeCalibration!(), /^calibration must be .*got undefined/],
  ['open with a misspelt option', () => openWith({ theads: 4 }), /^Interpolator\.open has no option 'theads'.*threads/],
  ['threads as text', () => openWith({ threads: '2' }), /^threads must be .*got '2'\.$/],
  ['copyInput as text', () => openWith({ copyInput: 'no' }), /^copyInput must be true or false; got 'no'\.$/],
  ['an onNotice that is no function', () => openWith({ onNotice: 'log' }), /^onNotice must be a function/],
  ['a null model', () => openWith({ model: null }), /^model must be .*got null/],
  ['an unknown lowering of a session', () => openWith({ lowering: 'fft' }), /^lowering must be .*got 'fft'/],
  ['graphs by another word', () => openWith({ graphs: true }), /^graphs must be auto or off; got true/],
  ['a calibration that is none', () => openWith({ precision: 'int8', calibration: {} }), /^calibration must be/],
  ['no input', () => interpolateVideo!(undefined, 'out.mp4'), /^input must be a path; got undefined/],
  ['no output', () => interpolateVideo!(SAMPLE), /^output must be a path; got undefined/],
  ['null options of a video', () => video(null), /^interpolateVideo takes its options as an object; got null/],
  ['a misspelt option of a video', () => video({ facter: 4 }), /^interpolateVideo has no option 'facter'; it has k, /],
  ['a codec that is no name', () => video({ codec: 5, threads: '2' }), /must be .*got ('2'|5)\.$/],
  ['overwrite as text', () => video({ overwrite: 'no' }), /^overwrite must be true or false; got 'no'/],
  ['encoder options that are none', () => video({ encoderOptions: 5 }), /^encoderOptions must be .*got 5/],
  ['an encoder option that is no text', () => video({ encoderOptions: { preset: 5 } }), /^encoderOptions must be/],
  ['a rate factor that H.264 does not have', () => video({ crf: 99 }), /libx264 has a crf from 0 to 51; got 99/],
  ['a negative rate factor', () => video({ crf: -1 }), /^crf must be a number from 0; got -1/],
  ['a broken k', () => video({ k: 1.5 }), /^k must be a whole number from 1; got 1\.5/],
  ['a k in quotes', () => video({ k: '2' }), /^k must be .*got '2'/],
  ['a slow below 1', () => video({ slow: 0.5 }), /^slow must be/],
  ['a rate that is no fraction', () => video({ fps: {} }), /^fps must be .*fraction/],
  ['an unknown audio', () => video({ slow: 2, audio: 'loud' }), /^audio must be drop or stretch; got 'loud'/],
  ['a scene threshold above 1', () => video({ sceneThreshold: 1.1 }), /from 0 to 1, or 'off'; got 1\.1/],
  ['a scene threshold in quotes', () => video({ sceneThreshold: '0.2' }), /from 0 to 1, or 'off'; got '0\.2'/],
  ['calibrate without windows', () => calibrate!('mini-2x'), /^windows must be iterable.*got undefined/],
  ['calibrate of no model', () => calibrate!({}, [[GRID]]), /^model must be/],
  ['calibrate of no window', () => calibrate!('mini-2x', [5]), /^A window must be a list of pictures; got 5/],
  ['evaluateMethods of nothing', () => evaluateMethods!(), /^evaluateMethods takes .*got undefined/],
  [
    'evaluateMethods of names',
    () => evaluateMethods!({ dataset: 'video', data: SAMPLE, methods: ['mini-2x'] }),
    /^methods must be a list/,
  ],
  ['explainWindow of no model', () => explainWindow!(undefined, []), /^model must be/],
  ['modelMethod of no model', () => modelMethod!(), /^model must be .*got undefined/],
  ['modelMethod with an unknown option', () => modelMethod!('mini-2x', { k: 2 }), /^modelMethod has no option 'k'/],
  ['a data set at no path', () => openDataSet!('video', undefined, { inputs: 4 }), /^path must be/],
  ['a data set of half a frame', () => openDataSet!('video', SAMPLE, { inputs: 3 }), /^inputs must be an even .*got 3/],
  ['unknown figures', () => openDataSet!('video', SAMPLE, { inputs: 4, metrics: 'best' }), /^metrics must be .*'best'/],
  ['a data set that is no name', () => dataSetNames!(Symbol('video')), /no data set Symbol\(video\)/],
  ['windowAt of no path', () => windowAt!(5, flavr.rational(1), 4), /^path must be/],
  [
    'new in place of open',
    () => new (flavr.Interpolator as never as new (o: unknown) => unknown)(SIZE),
    /Interpolator\.open/,
  ],
  ['a text that is no number', () => parseRational!('fast'), /^The text must be a number .*got 'fast'/],
  ['a float for a fraction', () => toNumber!(0.5), /^The value must be a fraction/],
  ['a report that is none', () => reportHtml!({}), /^report must be what evaluateMethods gave; got \{\}/],
  ['lines of no report', () => reportLines!(), /^report must be/],
  ['values of no report', () => reportCsv!(null), /^report must be .*got null/],
  ['the worst samples of no report', () => worstSamples!(), /^report must be/],
  ['scores against nothing', () => compareScores!({ samples: [] }), /^against must be .*got undefined/],
  ['psnr of one picture', () => psnr!(GRID), /^The second picture must be a picture .*got undefined/],
  ['ssim of what is no picture', () => ssim!({ data: [1] }, GRID), /^The first picture must be/],
];
for (const [name, call, message] of REFUSED) {
  test(`${name} is BAD_ARGUMENT, and says so`, () => rejects((async () => call())(), 'BAD_ARGUMENT', message));
}

test('each call of an interpolator names its own options', async () => {
  const opened = await flavr.Interpolator.openOn(fakeBackend(), fakeModel(2, 4), { width: 4, height: 2 });
  const { stream, streamTimed, interpolate } = opened as unknown as Untyped;
  const call = (method: Untyped[string] | undefined, ...rest: unknown[]) => method!.call(opened, [], ...rest);
  await rejects(
    call(interpolate, 2, { cut: [1] }),
    'BAD_ARGUMENT',
    /^interpolate has no option 'cut'; it has cuts, signal/,
  );
  await rejects(call(interpolate, 2, []), 'BAD_ARGUMENT', /^interpolate takes its options as an object; got \[\]/);
  const { signal } = new AbortController();
  await rejects(call(stream, 2, signal).next(), 'BAD_ARGUMENT', /^stream takes its options .*got AbortSignal/);
  await rejects(call(stream, 2, { fps: 60 }).next(), 'BAD_ARGUMENT', /^stream has no option 'fps'/);
  await rejects(call(streamTimed, { rate: 60 }).next(), 'BAD_ARGUMENT', /^streamTimed has no option 'rate'/);
  await opened.dispose();
});

test('an option that is undefined is as one that is left out, even under a name that no call has', async () => {
  const opened = await flavr.Interpolator.openOn(fakeBackend(), fakeModel(2, 4), {
    ...{ width: 4, height: 2, threads: undefined, verbose: undefined },
  });
  assert.is(opened.format.width, 4);
  await opened.dispose();
});

test.run();
