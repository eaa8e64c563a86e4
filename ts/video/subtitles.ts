import type { TextSubtitles } from './containers.js';

const READERS: Readonly<Record<string, (data: Buffer) => string>> = {
  subrip: (data) => data.toString('utf8'),
  text: (data) => data.toString('utf8'),
  webvtt: (data) => unescapeEntities(data.toString('utf8')),
  ass: readAss,
  ssa: readAss,
  // A 16-bit length, the text, then boxes of styles.
  mov_text: (data) => (data.length < 2 ? '' : data.toString('utf8', 2, 2 + data.readUInt16BE(0))),
};

/** Whether `convertSubtitle` reads this codec (FFmpeg's name). */
export const isTextSubtitle = (codec: string): boolean => Object.hasOwn(READERS, codec);

/**
 * The text of one subtitle packet in another codec's form. Line breaks stay; bold, italic and underline stay where both
 * forms write them as tags; other styling is lost. Undefined where there is no text to show.
 */
export function convertSubtitle(data: Buffer, from: string, to: TextSubtitles): Buffer | undefined {
  const text = READERS[from]!(data).replaceAll('\0', '').replace(/\r\n?/g, '\n').trim();
  if (text === '') return undefined;
  switch (to) {
    case 'subrip':
      return Buffer.from(text);
    case 'webvtt':
      return Buffer.from(escapeWebVtt(text));
    case 'mov_text': {
      const plain = Buffer.from(text.replace(TAG, ''));
      const length = Math.min(plain.length, 0xffff);
      const packet = Buffer.alloc(2 + length);
      packet.writeUInt16BE(length);
      plain.copy(packet, 2, 0, length);
      return packet;
    }
  }
}

const TAG = /<\/?[a-z][^>]*>/gi;

// Matroska's form: ReadOrder, Layer, Style, Name, three margins and Effect, then the text, with {overrides} in it.
function readAss(data: Buffer): string {
  const text = data.toString('utf8').split(',').slice(8).join(',');
  return text
    .replace(/\{[^}]*\}/g, '')
    .replace(/\\N/gi, '\n')
    .replaceAll('\\h', ' ');
}

const unescapeEntities = (text: string): string =>
  text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&nbsp;', ' ').replaceAll('&amp;', '&');

// An empty line would end the cue; "-->" would begin another.
function escapeWebVtt(text: string): string {
  return text
    .replace(/\n{2,}/g, '\n')
    .split(/(<\/?[biu]>)/i)
    .map((part, index) => (index % 2 ? part : escapeText(part.replace(TAG, ''))))
    .join('');
}

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** What the new stream's description holds beside the codec's name. */
export function subtitleExtradata(codec: TextSubtitles): Buffer | undefined {
  return codec === 'mov_text' ? TX3G : undefined;
}

/** The default style of 3GPP timed text (TS 26.245, 5.16): white, 18 points, centred at the bottom. */
const TX3G = Buffer.concat([
  // Display flags; horizontally centred, at the bottom; no background; no text box.
  Buffer.from([0, 0, 0, 0, 1, 0xff, 0, 0, 0, 0, ...new Array<number>(8).fill(0)]),
  // Characters 0 to 0, font 1, plain, 18 points, white.
  Buffer.from([0, 0, 0, 0, 0, 1, 0, 18, 0xff, 0xff, 0xff, 0xff]),
  // Font table: font 1 is "Sans-Serif".
  Buffer.from([0, 0, 0, 23, ...Buffer.from('ftab'), 0, 1, 0, 1, 10]),
  Buffer.from('Sans-Serif'),
]);
