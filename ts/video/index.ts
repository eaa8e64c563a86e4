export { FlavrError, type FlavrErrorCode } from '../errors.js';
export { parseRational, type Rational, rational, toNumber } from '../rational.js';
export { interpolateVideo } from './interpolate-video.js';
export type { InterpolateVideoOptions, VideoProgress, VideoSummary } from './options.js';
export type { StageTiming, VideoTimings } from './timings.js';
