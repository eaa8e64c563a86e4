import type { Frame } from 'node-av';
import { FlavrError } from '../errors.js';
import { multiply, rational, toNumber } from '../rational.js';
import { type Av, loadAv } from '../video/av.js';
import { Filters } from '../video/filters.js';
import type { Method } from './methods.js';
import type { BytePicture } from './prepare.js';

const SETTINGS = 'mi_mode=mci:mc_mode=aobmc:me_mode=bidir:vsbmc=1:scd=none';
// Of the frames handed in; only ratios matter.
const RATE = 10;
// The filter looks at four frames to fill the gap between the middle two.
const INPUTS = 4;

/**
 * FFmpeg's motion-compensated filter, at its best settings, in process. It knows no RGB: the frames go through 8-bit
 * YCbCr without subsampling, in full range.
 * @throws FlavrError `PEER_MISSING` without node-av.
 */
export async function minterpolate(): Promise<Method> {
  const av = await loadAv();
  return {
    name: 'minterpolate',
    identity: `minterpolate ${SETTINGS}`,
    inputs: INPUTS,
    output: () => '8-bit, through yuv444p',
    interpolate: (window, factor) => run(av, window, factor),
    close: () => Promise.resolve(),
  };
}

async function run(av: Av, window: readonly BytePicture[], factor: number): Promise<BytePicture[]> {
  const { width, height } = window[0]!;
  const rgb = `video_size=${width}x${height}:pix_fmt=rgb24:time_base=1/${RATE}:pixel_aspect=1/1:colorspace=gbr:range=pc`;
  const filters = await Filters.create(
    av,
    [
      { name: 'buffer', args: rgb },
      { name: 'scale', args: 'out_color_matrix=bt601:out_range=pc:flags=accurate_rnd+full_chroma_int' },
      { name: 'format', args: 'pix_fmts=yuv444p' },
      { name: 'minterpolate', args: `fps=${RATE * factor}:${SETTINGS}` },
      { name: 'scale', args: 'in_color_matrix=bt601:in_range=pc:flags=accurate_rnd+full_chroma_int' },
      { name: 'format', args: 'pix_fmts=rgb24' },
      { name: 'buffersink' },
    ],
    `minterpolate cannot run on frames of ${width}x${height}`,
  );
  const made = new Map<number, BytePicture>();
  const collect = async (frame: Frame) => {
    const instant = toNumber(multiply(multiply(filters.step, rational(frame.pts)), rational(RATE * factor)));
    made.set(Math.round(instant), { data: pixels(av, frame), width, height });
  };
  try {
    for (const [index, { data }] of window.entries()) {
      const buffer = Buffer.from(data.buffer, data.byteOffset, data.byteLength);
      const format = av.AV_PIX_FMT_RGB24;
      const frame = av.Frame.fromVideoBuffer(buffer, { width, height, format, pts: BigInt(index) });
      frame.colorSpace = av.AVCOL_SPC_RGB;
      frame.colorRange = av.AVCOL_RANGE_JPEG;
      try {
        await filters.push(frame, collect);
      } finally {
        frame.free();
      }
    }
    await filters.push(null, collect);
  } finally {
    filters.free();
  }
  const start = (INPUTS / 2 - 1) * factor;
  return Array.from({ length: factor - 1 }, (_, j) => {
    const picture = made.get(start + j + 1);
    if (picture) return picture;
    throw new FlavrError('INFERENCE_FAILED', `minterpolate gave no frame at ${j + 1}/${factor} of the gap.`);
  });
}

function pixels(av: Av, { data, linesize, format, width, height }: Frame): Uint8Array {
  const buffer = Buffer.allocUnsafeSlow(width * height * 3);
  av.avImageCopyToBuffer(buffer, buffer.length, data, linesize, format as never, width, height, 1);
  return new Uint8Array(buffer.buffer);
}
