import type { Picture } from './picture.js';
import type { Measurement } from './protocol.js';
import { interpolationError, psnr } from './psnr.js';
import { ssim } from './ssim.js';

/** How near a made frame comes to the true one, by a protocol's variants. */
export interface Figures {
  readonly psnr: number;
  readonly ssim: number;
  readonly interpolationError?: number;
}

/** What of a protocol decides its figures. */
export type FigureVariants = Pick<Measurement, 'psnr' | 'ssim' | 'interpolationError'>;

export function figuresOf(made: Picture, truth: Picture, variants: FigureVariants): Figures {
  return {
    psnr: psnr(made, truth, variants.psnr),
    ssim: ssim(made, truth, variants.ssim),
    ...(variants.interpolationError && { interpolationError: interpolationError(made, truth) }),
  };
}
