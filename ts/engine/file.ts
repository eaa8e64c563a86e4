import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { types } from 'node:util';
import { checkArgument, type Kind, PATH } from '../arguments.js';
import { asFlavrError, FlavrError } from '../errors.js';
import type { GraphEstimate, GraphForm, Lowering, Precision } from '../model/graph-spec.js';
import type { TensorRtFamily } from '../native.js';
import { forgetUnfinished, rememberUnfinished } from '../unfinished.js';
import { unwritable } from '../video/output-file.js';

/** What an engine was built for, beyond the library's version. */
export type EngineTarget =
  /** TensorRT: the one GPU model and driver that it was tuned on. */
  | {
      readonly kind: 'device';
      readonly name: string;
      readonly computeCapability: string;
      readonly cudaVersion: string;
    }
  /** TensorRT-RTX: named compute capabilities, or every GPU it supports from 8.0 up. */
  | { readonly kind: 'capabilities'; readonly computeCapabilities: readonly string[] }
  | { readonly kind: 'portable' };

/** Everything that decides whether an engine can be used, readable without a driver. */
export interface EngineHeader {
  readonly model: { readonly name: string; readonly hash: string; readonly factor: number };
  readonly width: number;
  readonly height: number;
  /** k of this engine's pass. */
  readonly factor: number;
  /** 2C. */
  readonly inputs: number;
  readonly batch: number;
  readonly precision: Precision | 'tf32';
  readonly lowering: Lowering;
  readonly form: Extract<GraphForm, 'framed' | 'ring'>;
  /** Bytes from one frame to the next in an input tensor. */
  readonly frameStride: number;
  readonly estimate: GraphEstimate;
  readonly family: TensorRtFamily;
  /** The exact version: engines, unlike libraries, fit no other. */
  readonly version: string;
  readonly target: EngineTarget;
  /** The version of flavr that wrote it. */
  readonly flavr: string;
  /** The place in the cache that it belongs to; absent in files built by hand. */
  readonly cacheKey?: string;
}

/** An engine in memory: what a session opens and a file holds. */
export interface Engine {
  readonly header: EngineHeader;
  /** TensorRT's own serialized engine. Executable input: take it only from a cache or a path that someone named. */
  readonly plan: Uint8Array;
}

const ENGINE: Kind = {
  words: 'what buildEngine or readEngine gave',
  fits: (value) => {
    const { header, plan } = (value ?? {}) as Partial<Engine>;
    return typeof header === 'object' && types.isUint8Array(plan);
  },
};

// The file: magic, length of the JSON header (uint32, little-endian), the header, the plan.
const MAGIC = Buffer.from('FLAVR ENGINE 1\r\n\u001a\n', 'latin1');
const PREFIX = MAGIC.length + 4;
const MOST_HEADER_BYTES = 1 << 20;

/** What the header of a file says beyond EngineHeader, to check the rest of the file by. */
interface StoredHeader extends EngineHeader {
  readonly plan: { readonly bytes: number; readonly sha256: string };
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

function invalid(path: string, detail: string, cause?: unknown): FlavrError {
  return new FlavrError(
    'ENGINE_INCOMPATIBLE',
    `${path} is not a usable engine file: ${detail}. Build it again with: flavr build`,
    { cause },
  );
}

/** The content of an engine's file, in parts. */
export function engineParts({ header, plan }: Engine): Uint8Array[] {
  const stored: StoredHeader = { ...header, plan: { bytes: plan.byteLength, sha256: sha256(plan) } };
  const json = Buffer.from(JSON.stringify(stored));
  const prefix = Buffer.alloc(PREFIX);
  MAGIC.copy(prefix);
  prefix.writeUInt32LE(json.length, MAGIC.length);
  return [prefix, json, plan];
}

/**
 * Writes the engine so that `path` holds all of it or what was there before, even if the machine stops in between.
 * @throws FlavrError `VIDEO_UNWRITABLE` where nothing can be written there, or the disk is full.
 */
export async function writeEngine(path: string, engine: Engine): Promise<void> {
  checkArgument('path', path, PATH);
  checkArgument('engine', engine, ENGINE);
  await writeAtomically(path, engineParts(engine));
}

/**
 * Writes a file under a temporary name in its folder, syncs it, and gives it its name.
 * @throws FlavrError `VIDEO_UNWRITABLE`
 */
export async function writeAtomically(path: string, parts: readonly Uint8Array[]): Promise<void> {
  const temporary = `${path}.${process.pid}-${randomBytes(4).toString('hex')}.tmp`;
  rememberUnfinished(temporary);
  try {
    const file = await open(temporary, 'wx');
    try {
      for (const part of parts) await file.writeFile(part);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw unwritable(path, error);
  } finally {
    forgetUnfinished(temporary);
  }
  const folder = await open(dirname(path));
  await folder.sync().finally(() => folder.close());
}

async function readExactly(file: FileHandle, length: number, position: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafeSlow(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

const isText = (value: unknown): value is string => typeof value === 'string';

function isTarget(target: EngineTarget | undefined): boolean {
  switch (target?.kind) {
    case 'device':
      return [target.name, target.computeCapability, target.cudaVersion].every(isText);
    case 'capabilities':
      return Array.isArray(target.computeCapabilities) && target.computeCapabilities.every(isText);
    default:
      return target?.kind === 'portable';
  }
}

const ESTIMATES: readonly (keyof GraphEstimate)[] = [
  'parameters',
  'weightBytes',
  'peakActivationBytes',
  'usefulFlops',
  'paperFlops',
  'largestTensor',
];

/** Whether every field is there and of its type: the file may be anyone's. */
function isStoredHeader(value: unknown): value is StoredHeader {
  const header = (value ?? {}) as Partial<StoredHeader>;
  const { width, height, factor, inputs, batch, frameStride, model, plan, estimate } = header;
  const { family, version, precision, lowering, form, flavr } = header;
  const naturals = [width, height, factor, inputs, batch, frameStride, model?.factor, plan?.bytes];
  const words = [family, version, precision, lowering, form, flavr, model?.name, model?.hash, plan?.sha256];
  return (
    naturals.every((field) => Number.isSafeInteger(field) && field! > 0) &&
    words.every(isText) &&
    ESTIMATES.every((field) => Number.isFinite(estimate?.[field])) &&
    isTarget(header.target)
  );
}

async function readStored(path: string, file: FileHandle): Promise<{ stored: StoredHeader; planAt: number }> {
  const { size } = await file.stat();
  const prefix = await readExactly(file, PREFIX, 0);
  if (prefix.length < PREFIX || !prefix.subarray(0, MAGIC.length).equals(MAGIC)) {
    throw invalid(path, 'it does not begin as one');
  }
  const length = prefix.readUInt32LE(MAGIC.length);
  if (length > MOST_HEADER_BYTES || PREFIX + length > size) throw invalid(path, `its header claims ${length} bytes`);
  let stored: unknown;
  try {
    stored = JSON.parse((await readExactly(file, length, PREFIX)).toString());
  } catch (cause) {
    throw invalid(path, 'its header is damaged', cause);
  }
  if (!isStoredHeader(stored)) throw invalid(path, 'its header lacks fields, or has some of another type');
  const planAt = PREFIX + length;
  if (planAt + stored.plan.bytes !== size) {
    throw invalid(path, `it should have ${planAt + stored.plan.bytes} bytes and has ${size}`);
  }
  return { stored, planAt };
}

async function withFile<T>(path: string, use: (file: FileHandle) => Promise<T>): Promise<T> {
  checkArgument('path', path, PATH);
  try {
    const file = await open(path);
    return await use(file).finally(() => file.close());
  } catch (error) {
    throw asFlavrError(error, 'MODEL_NOT_FOUND', `The engine ${path} cannot be read`);
  }
}

/** Whether these first bytes of a file are those of an engine file. */
export const isEngineFile = (start: Uint8Array): boolean =>
  start.length >= MAGIC.length && MAGIC.equals(start.subarray(0, MAGIC.length));

/**
 * Reads what an engine file is, without its plan and without a driver. Checks all but the plan's content.
 * @throws FlavrError `MODEL_NOT_FOUND`; `ENGINE_INCOMPATIBLE` if it is no engine file, damaged or cut short.
 */
export function readEngineHeader(path: string): Promise<EngineHeader & { readonly planBytes: number }> {
  return withFile(path, async (file) => {
    const { plan, ...header } = (await readStored(path, file)).stored;
    return { ...header, planBytes: plan.bytes };
  });
}

/**
 * Reads an engine file and checks all of it.
 * @throws FlavrError as `readEngineHeader`, and `ENGINE_INCOMPATIBLE` if the plan's checksum differs.
 */
export function readEngine(path: string): Promise<Engine> {
  return withFile(path, async (file) => {
    const { stored, planAt } = await readStored(path, file);
    const { plan: facts, ...header } = stored;
    const plan = await readExactly(file, facts.bytes, planAt);
    if (sha256(plan) !== facts.sha256) throw invalid(path, 'its checksum does not fit its content');
    return { header, plan };
  });
}
