/** A figure that others published for a protocol, to be read beside ours: measured elsewhere, by their program. */
export interface PublishedRow {
  readonly method: string;
  readonly psnr?: number;
  readonly ssim?: number;
  readonly source: string;
}

const VIMEO_TABLE = 'README of tarun005/FLAVR, baselines trained there';
const REPRODUCED = 'tarun005/FLAVR issue 18, an independent table';
const PLOT = 'read off the 8x plot on tarun005.github.io/FLAVR, approximate';

// Only what could be read at the named place; which SSIM a source has taken is often not said there.
const ROWS: Readonly<Record<string, readonly PublishedRow[]>> = {
  'vimeo-septuplet k=2': [
    { method: 'FLAVR', psnr: 36.3, source: 'README of tarun005/FLAVR' },
    { method: 'FLAVR, public weights', psnr: 36.31, ssim: 0.961, source: 'tarun005/FLAVR issue 18' },
    { method: 'FLAVR (MMagic)', psnr: 36.334, ssim: 0.96015, source: 'open-mmlab/mmagic configs/flavr' },
    { method: 'AdaCoF', psnr: 35.3, source: VIMEO_TABLE },
    { method: 'QVI', psnr: 35.15, source: VIMEO_TABLE },
    { method: 'QVI', psnr: 34.72, ssim: 0.954, source: REPRODUCED },
    { method: 'DAIN', psnr: 34.19, source: VIMEO_TABLE },
    { method: 'Super SloMo', psnr: 32.9, source: VIMEO_TABLE },
  ],
  'ucf101 k=2': [
    { method: 'FLAVR, public weights', psnr: 31.38, source: REPRODUCED },
    { method: 'QVI', psnr: 32.61, ssim: 0.949, source: REPRODUCED },
    { method: 'GDConvNet', psnr: 33.11, source: REPRODUCED },
  ],
  'gopro k=8': [
    { method: 'FLAVR, public weights', psnr: 31.31, source: 'tarun005/FLAVR issue 40' },
    { method: 'QVI', psnr: 30.55, source: PLOT },
    { method: 'DAIN', psnr: 29.1, source: PLOT },
    { method: 'Super SloMo', psnr: 28.5, source: PLOT },
    { method: 'CAIN', psnr: 27.8, source: PLOT },
  ],
  'adobe240 k=8': [
    { method: 'FLAVR', psnr: 32.2, source: 'the paper, as quoted in tarun005/FLAVR issue 40' },
    { method: 'FLAVR, public weights', psnr: 31.83, source: 'tarun005/FLAVR issue 40' },
  ],
  'x4k1000fps k=8': [
    { method: 'XVFI (S = 5)', psnr: 30.12, ssim: 0.87, source: 'README of JihyongOh/XVFI; two input frames' },
  ],
};

/** What others published for a protocol and factor; empty where nothing was read. */
export const publishedRows = (protocol: string, factor: number): readonly PublishedRow[] =>
  ROWS[`${protocol} k=${factor}`] ?? [];
