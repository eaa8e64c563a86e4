import { delimiter } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LineProcess } from './line-process.mjs';

const PROGRAM = fileURLToPath(new URL('./torch_peer.py', import.meta.url));
const NETWORK = fileURLToPath(new URL('../../train', import.meta.url));

/** The Python process that runs PyTorch, as torch_peer.py says. */
export function startTorch({ python, weights, windowFile, width, height, threads, folder }) {
  const path = [NETWORK, process.env.PYTHONPATH].filter(Boolean).join(delimiter);
  const env = { ...process.env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' };
  return new LineProcess(python, [PROGRAM, weights, windowFile, width, height, threads, folder], env);
}
