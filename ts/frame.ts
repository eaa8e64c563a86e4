import { types } from 'node:util';
import { checkArgument, type Kind, whole } from './arguments.js';
import { FlavrError, shown } from './errors.js';

/** Pixel formats a session can take. rgb24: three bytes per pixel, rows from the top, R first. */
export type PixelFormat = 'rgb24';

/** How a frame's bytes are laid out. */
export interface FrameFormat {
  readonly pixel: PixelFormat;
  /** In pixels. */
  readonly width: number;
  readonly height: number;
  /** Bytes from the start of one row to the next. Default: width * 3, no gap. */
  readonly stride: number;
}

/**
 * A frame is its bytes, as `FrameFormat` lays them out: `width * height * 3` for rgb24. A Buffer is one, and so is a part of
 * a larger ArrayBuffer; memory that is shared or resizable is none.
 */
export type Frame = Uint8Array;

/** Most pixels of width or height: more than any video format knows, and every size below stays an exact integer. */
export const MAX_SIDE = 16_384;

/** Width or height. */
export const SIDE: Kind = whole(1, MAX_SIDE);

/**
 * Checks a size and completes it to a format.
 * @throws FlavrError `BAD_ARGUMENT` if a side is no integer in [1, 16384] or the stride does not hold a row.
 */
export function frameFormat(options: {
  width: number;
  height: number;
  pixel?: PixelFormat | undefined;
  stride?: number | undefined;
}): FrameFormat {
  const { width, height, pixel = 'rgb24' } = options;
  checkArgument('width', width, SIDE);
  checkArgument('height', height, SIDE);
  if (pixel !== 'rgb24') {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `The pixel format must be rgb24; got ${shown(pixel)}. Convert the frames first.`,
    );
  }
  const { stride = width * 3 } = options;
  if (!Number.isInteger(stride) || stride < width * 3) {
    throw new FlavrError(
      'BAD_ARGUMENT',
      `A row of ${width} rgb24 pixels takes ${width * 3} bytes; got a stride of ${shown(stride)}.`,
    );
  }
  return { pixel, width, height, stride };
}

/** Bytes of one frame; the last row needs no padding behind it. */
export function frameBytes(format: FrameFormat): number {
  return format.stride * (format.height - 1) + format.width * 3;
}

/**
 * Checks that a caller's value is a usable frame of this format.
 * @throws FlavrError `BAD_FRAME` if it is no Uint8Array, has another length, or lies in a detached, shared or resizable buffer.
 */
export function checkFrame(frame: unknown, format: FrameFormat, index?: number): asserts frame is Frame {
  const which = index === undefined ? 'A frame' : `Frame ${index}`;
  // By what it is, not by its prototype: another context (vm, a test runner) has a Uint8Array of its own.
  if (!types.isUint8Array(frame)) {
    const kind = Object.prototype.toString.call(frame).slice('[object '.length, -1);
    throw new FlavrError('BAD_FRAME', `${which} must be a Uint8Array of bytes from 0 to 255; got ${kind}.`);
  }
  const buffer = frame.buffer as ArrayBuffer & { resizable?: boolean };
  if (types.isSharedArrayBuffer(buffer)) {
    throw new FlavrError(
      'BAD_FRAME',
      `${which} lies in a SharedArrayBuffer, which another thread could change; copy it first.`,
    );
  }
  if (buffer.resizable === true) {
    throw new FlavrError(
      'BAD_FRAME',
      `${which} lies in a resizable ArrayBuffer, whose memory can vanish; copy it first.`,
    );
  }
  const expected = frameBytes(format);
  if (frame.byteLength !== expected) {
    const detached = frame.byteLength === 0 ? ' (was its buffer transferred?)' : '';
    throw new FlavrError(
      'BAD_FRAME',
      `${which} must have ${expected} bytes (${format.width}x${format.height} ${format.pixel}); got ${frame.byteLength}${detached}.`,
    );
  }
}
