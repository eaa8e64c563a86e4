import type { Rational } from '../rational.js';
import { nearest } from './clock.js';

const TIMECODE = /^(\d\d):(\d\d):(\d\d)([:;.,])(\d\d\d?)$/;

/**
 * The timecode of a video whose first `skipped` frames are left out and whose rate changes: hours, minutes and seconds stay
 * those of the first frame, and its number becomes that of the same time at the new rate. Numbers that are left out to keep
 * up with the clock (drop frame, written with `;`) stay so where the new rate allows it. Undefined for what is no timecode
 * at this rate.
 */
export function moveTimecode(text: string, skipped: Rational, from: Rational, to: Rational): string | undefined {
  const match = TIMECODE.exec(text);
  if (!match) return undefined;
  const [hours, minutes, seconds, , frames] = match.slice(1).map(Number) as [number, number, number, number, number];
  const [before, after] = [Number(nearest(from)), Number(nearest(to))];
  const drops = match[4] !== ':';
  if (after === 0 || frames >= before || (drops && !canDrop(from))) return undefined;
  const minute = hours * 60 + minutes;
  const dropped = drops ? droppedEach(before) * (minute - Math.floor(minute / 10)) : 0;
  const count = (minute * 60 + seconds) * before + frames - dropped + Number(nearest(skipped));
  const number = drops ? withDropped(count, before) : count;
  const second = Math.floor(number / before);
  const fields = [Math.floor(second / 3600) % 24, Math.floor(second / 60) % 60, second % 60];
  const frame = Math.floor(((number % before) * after) / before);
  const two = (value: number) => String(value).padStart(2, '0');
  return `${fields.map(two).join(':')}${drops && canDrop(to) ? ';' : ':'}${two(frame)}`;
}

/** Numbers are left out at 29.97, 59.94 and the like only, which run behind the clock. */
const canDrop = (rate: Rational): boolean => rate.den !== 1n && nearest(rate) % 30n === 0n;

/** How many numbers are left out at the beginning of each minute, but every tenth. */
const droppedEach = (rate: number): number => rate / 15;

/** The number that a frame has with those that were left out before it. */
function withDropped(count: number, rate: number): number {
  const each = droppedEach(rate);
  const ten = 600 * rate - 9 * each;
  const rest = count % ten;
  const begun = rest < 60 * rate ? 0 : 1 + Math.floor((rest - 60 * rate) / (60 * rate - each));
  return count + each * (9 * Math.floor(count / ten) + begun);
}
