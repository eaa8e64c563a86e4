import { isEngineFile } from '../engine/file.js';
import { type ByteSource, readBytes } from './checkpoint/source.js';

export type CheckpointFormat = 'safetensors' | 'torch-zip' | 'torch-legacy';
/** What a file that holds a network can be. */
export type FileFormat = CheckpointFormat | 'onnx' | 'engine';

const START_BYTES = 32;

/** What the first bytes of a file announce; undefined if they fit nothing known. */
export async function fileFormat(source: ByteSource): Promise<FileFormat | undefined> {
  const start = await readBytes(source, 0, Math.min(source.size, START_BYTES), 'its first bytes');
  if (start.subarray(0, 4).toString('latin1') === 'PK\x03\x04') return 'torch-zip';
  // The opcode that begins every pickle.
  if (start[0] === 0x80) return 'torch-legacy';
  if (isEngineFile(start)) return 'engine';
  if (start.length < 9) return undefined;
  // A header of less than 4 GiB, and the brace that opens it.
  if (start.readUInt32LE(4) === 0 && start[8] === 0x7b) return 'safetensors';
  // ONNX has no signature; every writer puts the format's version, a small number, in front.
  if (start[0] === 0x08 && start[1]! > 0 && start[1]! < 0x20) return 'onnx';
  return undefined;
}
