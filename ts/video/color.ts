import type { ColorInfo, VideoInfo } from './types.js';

// Numbers of ISO/IEC 23091-2, which FFmpeg uses too; ranges are FFmpeg's.
export const UNSPECIFIED = 2;
export const MATRIX_RGB = 0;
const MATRIX_BT709 = 1;
export const MATRIX_BT601 = 6;
const TRANSFER_PQ = 16;
const TRANSFER_HLG = 18;
/** Names of the matrices that are assumed where none is stated. */
export const MATRIX_NAMES: Readonly<Record<number, string>> = { [MATRIX_BT709]: 'BT.709', [MATRIX_BT601]: 'BT.601' };
export const RANGE_UNSPECIFIED = 0;
export const RANGE_LIMITED = 1;
export const RANGE_FULL = 2;

/**
 * The matrix and range to convert between a video's YCbCr and RGB with: what the source states, else what players assume
 * (matrix by size: BT.709 from 1280 wide or above 576 high, BT.601 below; limited range). Reading and writing must both
 * use it. What was unspecified stays so in the file that is written: then any player treats both files alike, whatever it
 * assumes. A source that is RGB itself states nothing about YCbCr.
 */
export function conversionColor(info: Pick<VideoInfo, 'width' | 'height' | 'color'>): {
  matrix: number;
  range: number;
} {
  const { matrix, range } = info.color;
  const assumed = info.width >= 1280 || info.height > 576 ? MATRIX_BT709 : MATRIX_BT601;
  if (matrix === MATRIX_RGB) return { matrix: assumed, range: RANGE_LIMITED };
  return {
    matrix: matrix === UNSPECIFIED ? assumed : matrix,
    range: range === RANGE_UNSPECIFIED ? RANGE_LIMITED : range,
  };
}

const CHROMA_LEFT = 1;

/**
 * Where to take subsampled chroma to lie, for reading and writing alike (colours would creep sideways otherwise): where the
 * source states it, else on the left, as decoders of H.264 and its successors assume.
 */
export const conversionChroma = (color: ColorInfo): number => color.chromaLocation || CHROMA_LEFT;

/** `PQ` or `HLG` where the transfer function is one of these, which 8 bits cannot carry well. */
export function hdrTransfer(color: ColorInfo): 'PQ' | 'HLG' | undefined {
  return color.transfer === TRANSFER_PQ ? 'PQ' : color.transfer === TRANSFER_HLG ? 'HLG' : undefined;
}
