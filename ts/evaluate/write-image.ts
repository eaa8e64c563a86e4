import { importPeer } from '../peers.js';
import { type Picture, toBytes } from './picture.js';

/**
 * A picture as a PNG file's bytes.
 * @param widest a wider picture is scaled down to this.
 * @throws FlavrError `PEER_MISSING` without sharp.
 */
export async function encodePng(picture: Picture, widest = Number.POSITIVE_INFINITY): Promise<Buffer> {
  const { default: sharp } = await importPeer('sharp');
  const { width, height } = picture;
  const image = sharp(toBytes(picture), { raw: { width, height, channels: 3 } });
  return (width > widest ? image.resize({ width: widest }) : image).png().toBuffer();
}

/** The same as a data URI, for a page that needs no other file. */
export async function pngUri(picture: Picture, widest?: number): Promise<string> {
  return `data:image/png;base64,${(await encodePng(picture, widest)).toString('base64')}`;
}
