export type { Picture } from './picture.js';
export { interpolationError, type PsnrVariant, psnr } from './psnr.js';
export { type SsimVariant, ssim } from './ssim.js';
