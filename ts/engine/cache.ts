import { createHash } from 'node:crypto';
import { access, constants, mkdir, readdir, readFile, rm, stat, utimes } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { FlavrError } from '../errors.js';
import type { Model } from '../model/config.js';
import { graphDigest } from '../model/graph/build.js';
import { packageVersion } from '../package.js';
import { unwritable } from '../video/output-file.js';
import { type BuildEngineOptions, type BuildPlan, engineGraphSpec, executeBuild, prepareBuild } from './build.js';
import { type Engine, readEngine, writeAtomically, writeEngine } from './file.js';
import { withLock } from './lock.js';

const DEFAULT_LIMIT_BYTES = 10 * 2 ** 30;
const ENGINE = '.engine';
/** What belongs to an engine and goes when it goes: the kernels that TensorRT-RTX compiled for it on the device. */
const KERNELS = '.kernels';

/** Where engines are kept unless an option says otherwise: `$XDG_CACHE_HOME/flavr/engines`, else under `~/.cache`. */
export function defaultCacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'flavr', 'engines');
}

/** An engine and the place of the kernels that its device compiles. */
export interface CachedEngine {
  readonly engine: Engine;
  readonly path: string;
  /** A file for TensorRT-RTX's runtime cache; its first run on a device writes it. */
  readonly kernelCache: string;
  /** Whether this call built it. */
  readonly built: boolean;
}

export interface CacheUsage {
  readonly folder: string;
  readonly engines: number;
  readonly bytes: number;
  readonly limitBytes: number;
}

interface Entry {
  readonly key: string;
  readonly bytes: number;
  readonly usedMs: number;
}

export interface TakeOptions {
  readonly signal?: AbortSignal | undefined;
  readonly onNotice?: ((notice: string) => void) | undefined;
  /** How long to wait for another process that builds the same engine. */
  readonly waitMs?: number | undefined;
}

/**
 * A folder of engines by key. Processes may share it: of several that want the same engine one builds it. Engines are
 * executable input, so the folder should be writable by its user alone.
 */
export class EngineCache {
  readonly folder: string;
  readonly limitBytes: number;

  constructor(folder: string = defaultCacheFolder(), limitBytes: number = DEFAULT_LIMIT_BYTES) {
    this.folder = folder;
    this.limitBytes = limitBytes;
  }

  /**
   * The engine of that key, built by `build` if it is not there, damaged, or another key's.
   * @throws FlavrError `CACHE_LOCKED`, `ABORTED`, `BAD_ARGUMENT` if the folder cannot be written to, `VIDEO_UNWRITABLE` if the
   * disk is full, and what `build` throws.
   */
  async take(key: string, build: () => Promise<Engine>, options: TakeOptions = {}): Promise<CachedEngine> {
    const { onNotice } = options;
    const found = await this.#load(key, onNotice);
    if (found !== undefined) return this.#result(key, found, false);
    await this.#makeFolder();
    const result = await withLock(
      `${this.#path(key)}.lock`,
      async () => {
        // What is wrong with a file that was there before has been told.
        const meanwhile = await this.#load(key);
        if (meanwhile !== undefined) return this.#result(key, meanwhile, false);
        const built = await build();
        const engine = { ...built, header: { ...built.header, cacheKey: key } };
        await rm(this.#kernels(key), { force: true });
        await writeEngine(this.#path(key), engine);
        return this.#result(key, engine, true);
      },
      { ...options, onWait: () => onNotice?.('Another process builds the same engine; waiting for it.') },
    );
    if (result.built) await this.trim(key);
    return result;
  }

  /**
   * Removes an engine that turned out not to load, so that the next `take` builds it.
   * @throws FlavrError `VIDEO_UNWRITABLE` where it cannot be removed.
   */
  async discard(key: string): Promise<void> {
    for (const path of [this.#path(key), this.#kernels(key)]) {
      await rm(path, { force: true }).catch((error) => {
        throw unwritable(path, error);
      });
    }
  }

  /** Removes the engines used least recently until the rest is within the limit; never that of `keep`. */
  async trim(keep: string): Promise<void> {
    const entries = await this.#entries();
    let bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    for (const entry of entries.sort((a, b) => a.usedMs - b.usedMs)) {
      if (bytes <= this.limitBytes) return;
      if (entry.key === keep) continue;
      await this.discard(entry.key);
      bytes -= entry.bytes;
    }
  }

  async usage(): Promise<CacheUsage> {
    const { folder, limitBytes } = this;
    const entries = await this.#entries();
    const bytes = entries.reduce((sum, entry) => sum + entry.bytes, 0);
    return { folder, engines: entries.length, bytes, limitBytes };
  }

  #path(key: string): string {
    return join(this.folder, `${key}${ENGINE}`);
  }

  #kernels(key: string): string {
    return join(this.folder, `${key}${KERNELS}`);
  }

  #result(key: string, engine: Engine, built: boolean): CachedEngine {
    return { engine, path: this.#path(key), kernelCache: this.#kernels(key), built };
  }

  async #makeFolder(): Promise<void> {
    try {
      await mkdir(this.folder, { recursive: true, mode: 0o700 });
      await access(this.folder, constants.W_OK);
    } catch (cause) {
      throw new FlavrError(
        'BAD_ARGUMENT',
        `The engine cache ${this.folder} cannot be written to (${(cause as Error).message}). Set cacheDir, or XDG_CACHE_HOME in the environment.`,
        { cause },
      );
    }
  }

  async #load(key: string, onNotice?: (notice: string) => void): Promise<Engine | undefined> {
    const path = this.#path(key);
    try {
      const engine = await readEngine(path);
      if (engine.header.cacheKey === key) {
        // The time of last use, by which `trim` chooses. A folder that may only be read has engines that may be used.
        await utimes(path, new Date(), new Date()).catch(() => {});
        return engine;
      }
      onNotice?.(`${path} holds another engine and is built again.`);
    } catch (error) {
      const { code } = error as FlavrError;
      if (code !== 'MODEL_NOT_FOUND' && code !== 'ENGINE_INCOMPATIBLE') throw error;
      if (code === 'ENGINE_INCOMPATIBLE') onNotice?.(`${path} is damaged; it is built again.`);
    }
    return undefined;
  }

  async #entries(): Promise<Entry[]> {
    const names = await readdir(this.folder).catch(() => [] as string[]);
    const sizeOf = (name: string) => stat(join(this.folder, name)).catch(() => undefined);
    const entries = names
      .filter((name) => name.endsWith(ENGINE))
      .map(async (name): Promise<Entry | undefined> => {
        const key = name.slice(0, -ENGINE.length);
        const [engine, kernels] = await Promise.all([sizeOf(name), sizeOf(`${key}${KERNELS}`)]);
        return engine && { key, bytes: engine.size + (kernels?.size ?? 0), usedMs: engine.mtimeMs };
      });
    return (await Promise.all(entries)).filter((entry) => entry !== undefined);
  }
}

const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 40);

/**
 * Everything that decides what comes out of a build: a changed model, graph, size, library, device, driver or flavr is
 * another engine.
 */
export function cacheKey(model: Model, options: BuildEngineOptions, plan: BuildPlan): string {
  const { width, height, factor, batch, precision, lowering, workspaceBytes, optimizationLevel } = options;
  return digest([
    model.hash,
    graphDigest(model, engineGraphSpec(model, { ...options, onNotice: undefined })),
    [width, height, factor ?? null, batch ?? 1, precision ?? 'fp16', lowering ?? null],
    [workspaceBytes ?? 0, optimizationLevel ?? -1],
    [plan.library.family, plan.library.version, plan.target],
    packageVersion(),
  ]);
}

/** TensorRT's timing cache is good for one version on one kind of device. */
const timingFile = (folder: string, { library, target }: BuildPlan): string =>
  join(folder, `${digest([library.version, target])}.timing`);

/**
 * `buildEngine` with a memory: the engine comes from the cache folder if it is there, and is kept there if not.
 * @param folder default `defaultCacheFolder()`.
 * @throws FlavrError as `buildEngine` and `EngineCache.take`.
 */
export async function cachedEngine(model: Model, options: BuildEngineOptions, folder?: string): Promise<CachedEngine> {
  const cache = new EngineCache(folder);
  const plan = await prepareBuild(options);
  const timing = timingFile(cache.folder, plan);
  return cache.take(
    cacheKey(model, options, plan),
    async () => {
      let learned: Uint8Array | undefined;
      const engine = await executeBuild(model, plan, {
        ...options,
        timingCache: options.timingCache ?? (await readFile(timing).catch(() => undefined)),
        onTimingCache: (bytes) => {
          learned = bytes;
          options.onTimingCache?.(bytes);
        },
      });
      if (learned !== undefined) await writeAtomically(timing, [learned]);
      return engine;
    },
    options,
  );
}
