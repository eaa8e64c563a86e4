import { fileFormat } from '../format.js';
import type { Checkpoint } from './checkpoint.js';
import { openSafetensors } from './safetensors.js';
import { type ByteSource, invalid, openSource } from './source.js';
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
    switch (await fileFormat(source)) {
      case 'torch-zip':
        return await openTorchZip(source);
      case 'torch-legacy':
        return await openTorchLegacy(source);
      case 'safetensors':
        return await openSafetensors(source);
      default:
        throw invalid(source.name, 'its first bytes are neither those of torch.save nor of safetensors nor of ONNX');
    }
  } catch (error) {
    await source.close();
    throw error;
  }
}
