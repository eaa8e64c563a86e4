/** What can be told of a pixel format from FFmpeg's name for it, such as `yuva444p10le`. */
export interface PixelFormatTraits {
  /** Bits per channel; 8 for formats with fewer. */
  readonly bitDepth: number;
  readonly alpha: boolean;
  /** Stored as RGB (or a palette of it), so without a YCbCr matrix. */
  readonly rgb: boolean;
}

// A depth in the name itself ($1), or the depth that a family of names implies.
const DEPTHS: readonly (readonly [RegExp, number?])[] = [
  [/^(?:rgb|bgr)48|^(?:rgba|bgra|ayuv)64|^xv48/, 16],
  [/^(?:xv30|v30x|x2rgb10|x2bgr10|nv15|nv20)/, 10],
  [/^xv36/, 12],
  [/^(?:rgb96|rgba128)/, 32],
  [/f(16|32)(?:be|le)$/],
  [/^(?:p[024]|y2)(10|12|16)/],
  [/(?:p|gray|ya|xyz|bayer_.{4})(\d+)(?:msb)?(?:be|le)$/],
];

export function pixelFormatTraits(name: string): PixelFormatTraits {
  let bitDepth = 8;
  for (const [pattern, implied] of DEPTHS) {
    const match = pattern.exec(name);
    if (match) {
      bitDepth = implied ?? Number(match[1]);
      break;
    }
  }
  return {
    bitDepth,
    alpha: /^(?:rgba|bgra|argb|abgr|ayuv|vuya|uyva|yuva|gbrap|ya\d|yaf|pal8)/.test(name),
    rgb: /^(?:x2|0)?(?:rgb|bgr)|^(?:argb|abgr|gbr|pal8|bayer|xyz)/.test(name),
  };
}
