import { readFileSync, writeFileSync } from 'node:fs';

/** The most resident memory that was held at a time, in bytes. */
export interface PeakMemory {
  /** Of this process: decoder, encoder, and frames on their way. */
  readonly ownBytes: number;
  /** Of the process that runs the model, where there is one: graph, weights, activations. */
  readonly modelBytes: number;
}

/**
 * Watches the kernel's own account of peaks. Linux alone keeps one that can be read and set back; elsewhere the peak is
 * not measured, and said to be so.
 */
export class PeakMemoryWatch {
  #mostOfChildren = 0;
  readonly #timer: NodeJS.Timeout;
  readonly #known: boolean;

  constructor() {
    this.#known = resetOwnPeak();
    this.#timer = setInterval(() => this.#look(), 200).unref();
  }

  /** Ends the watch; undefined where peaks cannot be known. Call it while the processes that count still run. */
  stop(): PeakMemory | undefined {
    clearInterval(this.#timer);
    this.#look();
    const ownBytes = peakOf('self');
    if (!this.#known || ownBytes === undefined) return undefined;
    return { ownBytes, modelBytes: this.#mostOfChildren };
  }

  #look(): void {
    if (!this.#known) return;
    // Sessions that follow one another are never there together.
    const bytes = childrenOf(process.pid).reduce((sum, child) => sum + (peakOf(child) ?? 0), 0);
    this.#mostOfChildren = Math.max(this.#mostOfChildren, bytes);
  }
}

/** Lets this process's peak begin anew, at what it holds now; whether that could be done. */
function resetOwnPeak(): boolean {
  try {
    writeFileSync('/proc/self/clear_refs', '5');
    return true;
  } catch {
    return false;
  }
}

function childrenOf(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
  } catch {
    return [];
  }
}

function peakOf(pid: string): number | undefined {
  try {
    const kilobytes = /^VmHWM:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
    return kilobytes ? Number(kilobytes[1]) * 1024 : undefined;
  } catch {
    return undefined; // It ended meanwhile.
  }
}
