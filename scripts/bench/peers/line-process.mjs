import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';

const STDERR_TAIL = 4000;

/** A process that answers lines of JSON with lines of JSON, one each, in order; {"error": why} where it cannot. */
export class LineProcess {
  #child;
  #answers = [];
  #stderr = '';
  #failure;
  #ended;

  constructor(command, words, env = process.env) {
    this.#child = spawn(command, words.map(String), { stdio: ['pipe', 'pipe', 'pipe'], env });
    this.#child.stdin.on('error', () => {}); // `close` tells of its end.
    this.#child.stderr.setEncoding('utf8').on('data', (text) => {
      this.#stderr = (this.#stderr + text).slice(-STDERR_TAIL);
    });
    createInterface(this.#child.stdout).on('line', (line) => this.#answers.shift()?.resolve(JSON.parse(line)));
    this.#ended = new Promise((resolve) => {
      const end = (how) => {
        const said = this.#stderr.trim().split('\n').at(-1);
        this.#failure ??= `${command} ${how}${said ? `: ${said}` : ''}`;
        for (const { reject } of this.#answers.splice(0)) reject(new Error(this.#failure));
        resolve();
      };
      this.#child.on('error', ({ code }) => end(`cannot be started (${code})`));
      this.#child.on('close', (code, signal) => end(`ended with ${signal ?? `exit code ${code}`}`));
    });
  }

  /** @returns the answer; rejects with the reason that the process gave. */
  async ask(request) {
    if (this.#failure) throw new Error(this.#failure);
    const { error, ...answer } = await new Promise((resolve, reject) => {
      this.#answers.push({ resolve, reject });
      this.#child.stdin.write(`${JSON.stringify(request)}\n`);
    });
    if (error !== undefined) throw new Error(error.replaceAll(/\s+/g, ' ').trim());
    return answer;
  }

  /**
   * A peer that the process runs under a name.
   * @returns {Promise<import('./measure.mjs').Runner>}
   */
  async open(name, recipe = {}) {
    const { output } = await this.ask({ op: 'open', name, recipe });
    const { buffer, byteOffset, byteLength } = await readFile(output);
    return {
      output: new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)),
      run: async () => (await this.ask({ op: 'run', name })).ms,
    };
  }

  async close() {
    this.#child.stdin.end();
    await this.#ended;
  }
}
