import { FlavrError } from '../errors.js';
import { outputContainer } from './containers.js';
import { sameFile } from './output-file.js';
import { openImagesSink } from './sink-images.js';
import { openVideoSink } from './sink-video.js';
import type { SinkOptions, VideoSink } from './types.js';
import { orientationOf, UprightSink, uprightInfo } from './upright.js';

/**
 * Opens a video file, GIF or folder of images (a name without extension) for writing; nothing has the final name before
 * `finish`. Everything that can be refused is refused here, before any frame is made. Where the output cannot say how its
 * pictures are to be turned, they are turned.
 * @throws FlavrError `VIDEO_UNSUPPORTED` (extension, encoder, transparency or rate that the output cannot have),
 * `BAD_ARGUMENT` (encoder options; output equal to input), `OUTPUT_EXISTS`, `VIDEO_UNWRITABLE`, `VIDEO_UNREADABLE`
 * (`copyFrom`), `PEER_MISSING`.
 */
export async function openSink(path: string, options: SinkOptions): Promise<VideoSink> {
  const container = outputContainer(path);
  if (options.copyFrom !== undefined && (await sameFile(path, options.copyFrom))) {
    throw new FlavrError('BAD_ARGUMENT', `The output ${path} is the input itself. Choose another name.`);
  }
  const open = (given: SinkOptions) =>
    container ? openVideoSink(path, container, given) : openImagesSink(path, given);
  const { info } = options;
  const orientation = orientationOf(info);
  if (container?.rotation || !orientation || (info.rotation === 0 && !info.mirrored)) return open(options);
  return new UprightSink(await open({ ...options, info: uprightInfo(info) }), info, orientation);
}
