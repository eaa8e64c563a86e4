import { FlavrError } from './errors.js';

/** The optional peers: package name, and what flavr needs it for. */
export const PEERS = {
  'onnxruntime-node': 'running models on the CPU',
  'node-av': 'reading and writing video files',
  sharp: 'reading and writing folders of images',
} as const;

export type Peer = keyof typeof PEERS;
type PeerModule<P extends Peer> = P extends 'onnxruntime-node'
  ? typeof import('onnxruntime-node')
  : P extends 'sharp'
    ? typeof import('sharp')
    : typeof import('node-av');

function missingSentence(peer: Peer, problem: string): string {
  return `The package ${peer} is needed for ${PEERS[peer]} and ${problem}. Install it with: npm install --ignore-scripts ${peer}`;
}

/** Undefined if an optional peer is installed, else a sentence with the fix. Loads nothing. */
export function peerProblem(peer: Peer): string | undefined {
  try {
    import.meta.resolve(peer);
    return undefined;
  } catch {
    return missingSentence(peer, 'is not installed');
  }
}

/**
 * Imports an optional peer on first use, so that nothing is loaded that the job at hand does not need.
 * @throws FlavrError `PEER_MISSING` naming the package to install, with the loader's own error as the cause.
 */
export async function importPeer<P extends Peer>(peer: P): Promise<PeerModule<P>> {
  try {
    return (await import(peer)) as PeerModule<P>;
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'ERR_MODULE_NOT_FOUND';
    const problem = missing ? 'is not installed' : `could not be loaded (${(cause as Error).message})`;
    throw new FlavrError('PEER_MISSING', missingSentence(peer, problem), { cause });
  }
}
