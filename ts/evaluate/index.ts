export { FlavrError, type FlavrErrorCode } from '../errors.js';
export { type CalibrateOptions, calibrate } from './calibrate.js';
export { type Comparison, compareScores, type Difference } from './compare.js';
export {
  type DataSet,
  type DataSetOptions,
  dataSetNames,
  type LazySample,
  type Metrics,
  openDataSet,
  type SampleFrames,
} from './data-set.js';
export type { MethodScore, SampleFailure, SampleScore } from './evaluate.js';
export {
  type ExplainOptions,
  type Explanation,
  explainWindow,
  type FeatureMap,
  type FeatureMaps,
  type GateExplanation,
} from './explain.js';
export { blend, type Method, nearest } from './methods.js';
export { minterpolate } from './minterpolate.js';
export { type ModelMethodOptions, modelMethod } from './model-method.js';
export type { Picture } from './picture.js';
export type { BytePicture } from './prepare.js';
export type { Measurement, Preparation } from './protocol.js';
export { interpolationError, type PsnrVariant, psnr } from './psnr.js';
export type { PublishedRow } from './published.js';
export {
  type EvaluateMethodsOptions,
  type EvaluationProgress,
  evaluateMethods,
  type Report,
  type ReportedMethod,
  type SetReport,
} from './report.js';
export { reportHtml } from './report-html.js';
export { reportCsv, reportLines } from './report-text.js';
export { type SsimVariant, ssim } from './ssim.js';
export { type VideoWindow, windowAt } from './window-at.js';
export { type WorstSample, worstSamples } from './worst.js';
