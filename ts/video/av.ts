import type { Rational as AvRational } from 'node-av';
import { FlavrError, type FlavrErrorCode } from '../errors.js';
import { importPeer } from '../peers.js';
import { type Rational, rational } from '../rational.js';

/** node-av: FFmpeg in process. Only its low-level classes are used: its high-level ones need Promise.withResolvers, absent in Node 20. */
export type Av = typeof import('node-av');

/**
 * Imports node-av on first use.
 * @throws FlavrError `PEER_MISSING`
 */
export async function loadAv(): Promise<Av> {
  const av = await importPeer('node-av');
  // FFmpeg writes its log to stderr unless told otherwise; a level that someone chose stays.
  if (av.Log.getLevel() === av.AV_LOG_INFO) av.Log.setLevel(av.AV_LOG_QUIET);
  return av;
}

/**
 * FFmpeg's error number as a FlavrError. What the machine lacks has a code or sentence of its own, whatever the caller
 * was doing; everything else is `code`.
 */
export function avError(av: Av, result: number, code: FlavrErrorCode, context: string): FlavrError {
  const cause = new av.FFmpegError(result);
  if (result === av.AVERROR_ENOMEM) {
    return new FlavrError('OUT_OF_MEMORY', `${context}: there is not enough memory.`, { cause });
  }
  if (result === av.AVERROR_ENOSPC) {
    return new FlavrError(code, `${context}: the disk is full. Free some space and try again.`, { cause });
  }
  return new FlavrError(code, `${context}: ${av.FFmpegError.strerror(result)}.`, { cause });
}

/** `result` itself unless it is one of FFmpeg's (negative) error numbers. */
export function checkAv(av: Av, result: number, code: FlavrErrorCode, context: string): number {
  if (result < 0) throw avError(av, result, code, context);
  return result;
}

/** FFmpeg's fraction as ours; undefined where FFmpeg means "unknown" (a zero on either side). */
export function fromAvRational(value: { num: number; den: number }): Rational | undefined {
  return value.num === 0 || value.den === 0 ? undefined : rational(value.num, value.den);
}

const MAX_INT = 2n ** 31n - 1n;

/** Our fraction as FFmpeg's, whose numbers have 32 bits; one that does not fit is rounded, to nine digits. */
export function toAvRational(av: Av, { num, den }: Rational): AvRational {
  const larger = num > den ? num : den;
  const divisor = larger > MAX_INT ? larger / MAX_INT + 1n : 1n;
  return new av.Rational(Number(num / divisor), Number(den / divisor) || 1);
}
