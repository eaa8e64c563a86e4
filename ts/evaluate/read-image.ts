import { asFlavrError, FlavrError } from '../errors.js';
import { importPeer } from '../peers.js';
import { MAX_PIXELS } from '../video/raw-video.js';
import { exists } from './listing.js';
import type { BytePicture } from './prepare.js';

/**
 * Reads an image file of a data set as it is stored: RGB in 8 bits, without an alpha channel, not turned.
 * @throws FlavrError `DATASET_INVALID` naming the file; `PEER_MISSING`.
 */
export async function readImage(path: string): Promise<BytePicture> {
  const { default: sharp } = await importPeer('sharp');
  try {
    const image = sharp(path, { limitInputPixels: MAX_PIXELS, failOn: 'error' });
    const { data, info } = await image
      .toColourspace('srgb')
      .removeAlpha()
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    if (info.channels !== 3) throw new FlavrError('DATASET_INVALID', `${path} has ${info.channels} channels, not 3.`);
    return { data: new Uint8Array(data), width: info.width, height: info.height };
  } catch (error) {
    if (!(await exists(path))) throw new FlavrError('DATASET_INVALID', `${path} is missing.`, { cause: error });
    throw asFlavrError(error, 'DATASET_INVALID', `${path} cannot be decoded`);
  }
}
