import { setTimeout } from 'node:timers/promises';
import { summarizeTimes } from '../../../dist/bench/timing.js';

/**
 * What can run the network, ours included.
 * @typedef {object} Peer
 * @property {string} name
 * @property {boolean} ours
 * @property {'cpu' | 'gpu'} device
 * @property {'fp32' | 'bf16' | 'fp16'} precision
 * @property {number} batch windows in one run
 * @property {() => Promise<Runner>} open rejects with the reason where it cannot run here
 *
 * @typedef {object} Runner
 * @property {Float32Array} [output] what it makes of the inputs, [k-1, 3, H, W] in units of 1; absent where nobody can see it
 * @property {boolean} [rounded] whether the output is of bytes
 * @property {() => Promise<number>} run runs once; milliseconds per window
 * @property {() => Promise<unknown>} [close]
 */

// Beyond this an output in full precision is another network's.
const MOST_DIFFERENCE = 1e-4;
// Half a step of 8 bits.
const ROUNDING = 0.5 / 255;
// Threads of the one that ran before may go on spinning for a while.
const REST_MS = 300;
// Eight bits of mantissa leave more than this of any sensible network; other weights do not.
const LEAST_PSNR = 40;

/**
 * Opens all peers, compares their outputs with the first one's, and times those that agree, round by round: each runs once
 * in every round, and every round begins with another one, so that whatever else the machine does falls on all alike.
 * @param {readonly Peer[]} peers ours, in full precision, first
 * @param {{ runs: number, warmup?: number, note?: (line: string) => void }} options
 * @returns one row per peer, in the order given, with `status` timed, refused or absent
 */
export async function measurePeers(peers, { runs, warmup = 1, note = () => {} }) {
  const opened = [];
  try {
    let reference;
    for (const peer of peers) {
      note(`opening ${peer.name}`);
      const row = await openPeer(peer, reference);
      opened.push(row);
      reference ??= row.runner?.output;
      if (!reference) throw new Error(`${peer.name}, with which all others are compared, does not run: ${row.reason}`);
    }
    const timed = opened.filter(({ status }) => status === 'timed');
    for (let round = -warmup; round < runs; round++) {
      note(round < 0 ? 'warming up' : `round ${round + 1} of ${runs}`);
      for (let i = 0; i < timed.length; i++) {
        const row = timed[(i + round + warmup) % timed.length];
        await setTimeout(REST_MS);
        const ms = await row.runner.run();
        if (round >= 0) row.times.push(ms);
      }
    }
  } finally {
    for (const { runner } of opened) await runner?.close?.();
  }
  return opened.map(({ runner, times, ...row }) =>
    row.status === 'timed' ? { ...row, timing: summarizeTimes(times), times } : row,
  );
}

async function openPeer({ open, ...peer }, reference) {
  let runner;
  try {
    runner = await open();
  } catch (error) {
    return { ...peer, status: 'absent', reason: error.message };
  }
  const row = { ...peer, runner, status: 'timed', times: [] };
  if (!reference || !runner.output) return row;
  const agreement = compareOutputs(reference, runner);
  const reason = whyRefused(peer, runner, agreement);
  return { ...row, agreement, ...(reason && { status: 'refused', reason }) };
}

/** Largest difference, and PSNR in units of 1: null for an output that is the same. */
function compareOutputs(reference, { output, rounded }) {
  if (output.length !== reference.length) {
    throw new Error(`an output has ${output.length} values; ${reference.length} were expected`);
  }
  let most = 0;
  let sum = 0;
  for (let i = 0; i < output.length; i++) {
    const expected = rounded ? Math.min(Math.max(reference[i], 0), 1) : reference[i];
    const difference = Math.abs(output[i] - expected);
    // Written so that a difference which is no number counts as one beyond all limits.
    if (!(difference <= most)) most = Number.isNaN(difference) ? Number.POSITIVE_INFINITY : difference;
    sum += difference ** 2;
  }
  return { maxDifference: most, psnr: sum === 0 ? null : -10 * Math.log10(sum / output.length) };
}

function whyRefused({ precision }, { rounded }, { maxDifference, psnr }) {
  if (precision === 'fp32') {
    const limit = MOST_DIFFERENCE + (rounded ? ROUNDING : 0);
    if (maxDifference <= limit) return undefined;
    return `its output is ${maxDifference.toExponential(1)} from ours; ${limit.toExponential(1)} is allowed`;
  }
  if (psnr === null || psnr >= LEAST_PSNR) return undefined;
  return `its output has ${psnr.toFixed(1)} dB against ours; ${LEAST_PSNR} is the least`;
}
