import { FlavrError } from '../errors.js';
import { outputContainer } from './containers.js';
import { sameFile } from './output-file.js';
import { openImagesSink } from './sink-images.js';
import { openVideoSink } from './sink-video.js';
import type { SinkOptions, VideoSink } from './types.js';

/**
 * Opens a video file, GIF or folder of images (a name without extension) for writing; nothing has the final name before
 * `finish`. Everything that can be refused is refused here, before any frame is made.
 * @throws FlavrError `VIDEO_UNSUPPORTED` (extension, encoder, transparency or rate that the output cannot have),
 * `BAD_ARGUMENT` (encoder options; output equal to input), `OUTPUT_EXISTS`, `VIDEO_UNWRITABLE`, `VIDEO_UNREADABLE`
 * (`copyFrom`), `PEER_MISSING`.
 */
export async function openSink(path: string, options: SinkOptions): Promise<VideoSink> {
  const container = outputContainer(path);
  if (options.copyFrom !== undefined && (await sameFile(path, options.copyFrom))) {
    throw new FlavrError('BAD_ARGUMENT', `The output ${path} is the input itself. Choose another name.`);
  }
  return container ? openVideoSink(path, container, options) : openImagesSink(path, options);
}
