import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { delimiter } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PROGRAM = fileURLToPath(new URL('./torch_peer.py', import.meta.url));
const NETWORK = fileURLToPath(new URL('../../train', import.meta.url));
const STDERR_TAIL = 4000;

/** The Python process that runs PyTorch: one request at a time, as torch_peer.py says. */
export class TorchProcess {
  #child;
  #answers = [];
  #stderr = '';
  #failure;
  #ended;

  /** @param {{ python: string, weights: string, window: string, width: number, height: number, threads: number, folder: string }} options */
  constructor({ python, weights, window, width, height, threads, folder }) {
    const words = [PROGRAM, weights, window, width, height, threads, folder].map(String);
    const path = [NETWORK, process.env.PYTHONPATH].filter(Boolean).join(delimiter);
    const env = { ...process.env, PYTHONPATH: path, PYTHONDONTWRITEBYTECODE: '1' };
    this.#child = spawn(python, words, { stdio: ['pipe', 'pipe', 'pipe'], env });
    this.#child.stdin.on('error', () => {}); // `close` tells of its end.
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL);
    });
    createInterface(this.#child.stdout).on('line', (line) => this.#answers.shift()?.resolve(JSON.parse(line)));
    this.#ended = new Promise((resolve) => {
      const end = (how) => {
        const said = this.#stderr.trim().split('\n').at(-1);
        this.#failure ??= `${python} ${how}${said ? `: ${said}` : ''}`;
        for (const { reject } of this.#answers.splice(0)) reject(new Error(this.#failure));
        resolve();
      };
      this.#child.on('error', ({ code }) => end(`cannot be started (${code})`));
      this.#child.on('close', (code, signal) => end(`ended with ${signal ?? `exit code ${code}`}`));
    });
  }

  /** @returns the answer, or rejects with the reason that the process gave. */
  async ask(request) {
    if (this.#failure) throw new Error(this.#failure);
    const { error, ...answer } = await new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject });
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    if (error !== undefined) throw new Error(error.replaceAll(/\s+/g, ' ').trim());
    return answer;
  }

  /** A peer of this process. @returns {Promise<import('./measure.mjs').Runner>} */
  async open(name, recipe) {
    const { output } = await this.ask({ op: 'open', name, recipe });
    const { buffer, byteOffset, byteLength } = await readFile(output);
    return {
      output: new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)),
      run: async () => (await this.ask({ op: 'run', name })).ms,
    };
  }

  /** The path of the ONNX file that PyTorch exports. */
  async export(name, dynamo) {
    return (await this.ask({ op: 'export', name, dynamo })).graph;
  }

  async close() {
    this.#child.stdin.end();
    await this.#ended;
  }
}
