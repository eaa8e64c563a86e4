export type { BackendName, Progress, SessionStats } from './backends/backend.js';
export { type BuildEngineOptions, buildEngine } from './engine/build.js';
export {
  type Engine,
  type EngineHeader,
  type EngineTarget,
  readEngine,
  readEngineHeader,
  writeEngine,
} from './engine/file.js';
export type { SearchOptions } from './engine/libraries.js';
export { type ProbeReport, probe } from './engine/probe.js';
export { FlavrError, type FlavrErrorCode } from './errors.js';
export type { Frame, FrameFormat, PixelFormat } from './frame.js';
export { Interpolator } from './interpolator.js';
export { type Calibration, encodeCalibration, type Range, readCalibration } from './model/calibration.js';
export type { GraphModel, Model, ModelConfig, WeightsModel } from './model/config.js';
export { exportOnnx } from './model/export.js';
export type {
  BuiltGraph,
  CompleteGraphSpec,
  GraphEstimate,
  GraphForm,
  GraphSpec,
  Lowering,
  Precision,
} from './model/graph-spec.js';
export type { ModelOptions } from './model/infer.js';
export { loadModel } from './model/load.js';
export type {
  CallOptions,
  Cuts,
  FrameSource,
  OpenOptions,
  TimedFrame,
  TimedOptions,
  TimedOutput,
} from './options.js';
export { parseRational, type Rational, rational, toNumber } from './rational.js';
