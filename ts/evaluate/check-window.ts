import { checkArgument, type Kind } from '../arguments.js';
import { FlavrError, shown } from '../errors.js';
import { PICTURE } from './picture.js';
import type { BytePicture } from './prepare.js';

const WINDOW: Kind = { words: 'a list of pictures', fits: Array.isArray };

/**
 * Checks a caller's window; gives its first picture, whose size is that of all.
 * @param inputs 2C, the frames of a window.
 * @throws FlavrError `BAD_ARGUMENT` for another number of frames; `BAD_FRAME` for what are no pictures of one size.
 */
export function checkWindow(window: readonly BytePicture[], inputs: number): BytePicture {
  checkArgument('A window', window, WINDOW);
  const [first] = window;
  if (first === undefined || window.length !== inputs) {
    throw new FlavrError('BAD_ARGUMENT', `A window of this model has ${inputs} frames; got ${window.length}.`);
  }
  const stranger = window.findIndex((frame) => !PICTURE.fits(frame));
  if (stranger >= 0) {
    const which = `Frame ${stranger} of a window must be ${PICTURE.words}`;
    throw new FlavrError('BAD_FRAME', `${which}; got ${shown(window[stranger])}.`);
  }
  const { width, height } = first;
  const odd = window.find(
    (frame) => frame.width !== width || frame.height !== height || frame.data.length !== width * height * 3,
  );
  if (odd) {
    throw new FlavrError(
      'BAD_FRAME',
      `The frames of a window must be pictures in rgb24 of one size, ${width}x${height}; got one of ${odd.width}x${odd.height} with ${odd.data.length} bytes.`,
    );
  }
  return first;
}
