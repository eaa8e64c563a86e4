import { FlavrError } from '../errors.js';

interface Closable {
  close(): Promise<void>;
}

/** Things that are costly to open and to keep, by key: the most recently used ones stay open. */
export class Recent<T extends Closable> {
  readonly #most: number;
  readonly #open = new Map<string, T>();
  #closed = false;

  constructor(most: number) {
    this.#most = most;
  }

  /** The thing under a key, opened if need be. One call at a time. */
  async get(key: string, open: () => Promise<T>): Promise<T> {
    let thing = this.#open.get(key);
    this.#open.delete(key);
    if (!thing) {
      for (const [oldest, idle] of this.#open) {
        if (this.#open.size < this.#most) break;
        this.#open.delete(oldest);
        await idle.close();
      }
      thing = await open();
      if (this.#closed) {
        await thing.close();
        throw new FlavrError('DISPOSED', 'It was closed while it was being opened.');
      }
    }
    this.#open.set(key, thing);
    return thing;
  }

  /** Closes the thing under a key, so that it is opened anew when it is next asked for. */
  async drop(key: string): Promise<void> {
    const thing = this.#open.get(key);
    this.#open.delete(key);
    await thing?.close();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const things = [...this.#open.values()];
    this.#open.clear();
    await Promise.all(things.map((thing) => thing.close()));
  }
}
