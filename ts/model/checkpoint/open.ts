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
    return await openerFor(source, await readBytes(source, 0, Math.min(source.size, 9), 'its first bytes'))(source);
  } catch (error) {
    await source.close();
    throw error;
  }
}

function openerFor(source: ByteSource, start: Buffer): (source: ByteSource) => Promise<Checkpoint> {
  if (start.subarray(0, 4).toString('latin1') === 'PK\x03\x04') return openTorchZip;
  if (start[0] === 0x80) return openTorchLegacy;
  if (start[8] === 0x7b) return openSafetensors;
  throw invalid(source.name, 'it is neither a torch.save file nor safetensors; its first bytes fit no known format');
}
