import { FlavrError, shown } from '../errors.js';
import type { Backend, BackendName } from './backend.js';
import { cpuBackend } from './cpu.js';
import { tensorRtBackend } from './tensorrt.js';

/** In the order in which `auto` tries them; the last one runs on every machine once its peer is installed. */
export const BACKENDS: readonly Backend[] = [tensorRtBackend('tensorrt'), tensorRtBackend('tensorrt-rtx'), cpuBackend];

export interface Selection {
  readonly backend: Backend;
  /** Why the backends before it were passed over, each reason once; undefined if none was. */
  readonly passedOver: string | undefined;
}

/**
 * The backend of that name (whose own error says why it cannot run, when it is opened), or for `auto` the first that can
 * run here.
 * @throws FlavrError `PEER_MISSING` if `auto` finds none, with the reason of each; `BAD_ARGUMENT` for an unknown name.
 */
export async function selectBackend(name: 'auto' | BackendName, backends = BACKENDS): Promise<Selection> {
  if (name !== 'auto') {
    const backend = backends.find((candidate) => candidate.name === name);
    if (backend) return { backend, passedOver: undefined };
    const names = ['auto', ...backends.map((candidate) => candidate.name)].join(', ');
    throw new FlavrError('BAD_ARGUMENT', `backend must be one of ${names}; got ${shown(name)}.`);
  }
  const problems = new Map<string, BackendName[]>();
  for (const backend of backends) {
    const problem = await backend.unavailable();
    if (problem === undefined) return { backend, passedOver: listProblems(problems) };
    problems.set(problem, [...(problems.get(problem) ?? []), backend.name]);
  }
  throw new FlavrError('PEER_MISSING', `No backend can run here. ${listProblems(problems)}`);
}

// Both TensorRT backends usually lack the same thing.
function listProblems(problems: ReadonlyMap<string, readonly BackendName[]>): string | undefined {
  if (problems.size === 0) return undefined;
  return [...problems].map(([problem, names]) => `${names.join(', ')}: ${problem}`).join(' ');
}
