/** A figure that others published for a protocol, to be read beside ours: measured elsewhere, by their program. */
export interface PublishedRow {
  readonly method: string;
  readonly psnr?: number;
  readonly ssim?: number;
  readonly interpolationError?: number;
  readonly source: string;
}

const VIMEO_TABLE = 'README of tarun005/FLAVR, baselines trained there';
const REPRODUCED = 'tarun005/FLAVR issue 18, an independent table';
const EMA_VFI = 'table 1 of EMA-VFI (Zhang et al., CVPR 2023); two input frames';
const EMA_VFI_8X = 'table 2 of EMA-VFI (Zhang et al., CVPR 2023); two input frames';
const PLOT = 'read off the 8x plot on tarun005.github.io/FLAVR, approximate';

type Figures = readonly [psnr: number, ssim: number];

/** What one table has of DAIN, CAIN and the method whose table it is. */
function twoFrame(...figures: readonly [dain: Figures, cain: Figures, own: Figures]): PublishedRow[] {
  return ['DAIN', 'CAIN', 'EMA-VFI'].map((method, i) => {
    const [psnr, ssim] = figures[i]!;
    return { method, psnr, ssim, source: EMA_VFI };
  });
}

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
  'snu-film-easy k=2': twoFrame([39.73, 0.9902], [39.89, 0.99], [39.98, 0.991]),
  'snu-film-medium k=2': twoFrame([35.46, 0.978], [35.61, 0.9776], [36.09, 0.9801]),
  'snu-film-hard k=2': twoFrame([30.17, 0.9335], [29.9, 0.9292], [30.94, 0.9392]),
  'snu-film-extreme k=2': twoFrame([25.09, 0.8584], [24.78, 0.8507], [25.69, 0.8661]),
  'middlebury k=2': [
    { method: 'QVI', interpolationError: 2.68, source: REPRODUCED },
    { method: 'GDConvNet', interpolationError: 2.08, source: REPRODUCED },
    { method: 'DAIN', interpolationError: 2.04, source: EMA_VFI },
    { method: 'CAIN', interpolationError: 2.28, source: EMA_VFI },
    { method: 'EMA-VFI', interpolationError: 1.81, source: EMA_VFI },
  ],
  'xiph-2k k=2': twoFrame([35.95, 0.94], [35.21, 0.937], [36.9, 0.945]),
  'xiph-4k k=2': twoFrame([33.49, 0.895], [32.56, 0.901], [34.67, 0.907]),
  'x4k1000fps k=8': [
    { method: 'DAIN', psnr: 26.78, source: EMA_VFI_8X },
    { method: 'CAIN', psnr: 22.51, source: EMA_VFI_8X },
    { method: 'EMA-VFI', psnr: 31.46, source: EMA_VFI_8X },
    { method: 'XVFI (S = 5)', psnr: 30.12, ssim: 0.87, source: 'README of JihyongOh/XVFI; two input frames' },
  ],
};

/** What others published for a protocol and factor; empty where nothing was read. */
export const publishedRows = (protocol: string, factor: number): readonly PublishedRow[] =>
  ROWS[`${protocol} k=${factor}`] ?? [];
