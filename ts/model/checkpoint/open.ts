import type { Checkpoint } from './checkpoint.js';
import { openSafetensors } from './safetensors.js';
import { type ByteSource, invalid, openSource, readBytes } from './source.js';
import { openTorchLegacy } from './torch-legacy.js';
import { openTorchZip } from './torch-zip.js';

/**
 * Opens a checkpoint of any supported format; the content decides, not the file's extension.
 * @throws FlavrError `MODEL_NOT_FOUND` if there is no such file; `CHECKPOINT_INVALID` if it is damaged or of another kind;
 * `CHECKPOINT_UNSAFE` if its pickle names anything but tensors and plain values.
 */
export async function openCheckpoint(path: string): Promise<Checkpoint> {
  return openCheckpointFrom(await openSource(path));
}

/** As `openCheckpoint`, over any source of bytes, which it takes over: closing the checkpoint, or failing, closes it. */
export async function openCheckpointFrom(source: ByteSource): Promise<Checkpoint> {
  try {
    switch (await sniff(source)) {
      case 'torch-zip':
        return await openTorchZip(source);
      case 'torch-legacy':
        return await openTorchLegacy(source);
      case 'safetensors':
        return await openSafetensors(source);
      default:
        throw invalid(source.name, 'its first bytes are neither those of torch.save nor of safetensors');
    }
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** The formats of models, a checkpoint's or a graph's. */
export type ModelFormat = Checkpoint['format'] | 'onnx';

/** What kind of model file the first bytes announce. */
export async function sniff(source: ByteSource): Promise<ModelFormat | undefined> {
  const start = await readBytes(source, 0, Math.min(source.size, 9), 'its first bytes');
  if (start.subarray(0, 4).toString('latin1') === 'PK\x03\x04') return 'torch-zip';
  if (start[0] === 0x80) return 'torch-legacy';
  // A header of less than 4 GiB, and the brace that opens it.
  if (start.length === 9 && start.readUInt32LE(4) === 0 && start[8] === 0x7b) return 'safetensors';
  // ONNX has no signature; every writer puts the format's version, a small number, in front.
  if (start.length === 9 && start[0] === 0x08 && start[1]! > 0 && start[1]! < 0x20) return 'onnx';
  return undefined;
}
