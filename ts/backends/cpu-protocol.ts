import type { FedKernel } from '../model/graph-spec.js';

/**
 * What `CpuProcess` and the process it started say to each other, over pipes: a header as JSON, then the bytes it announces.
 * Requests come on standard input, replies go to REPLIES, LIFELINE closes when the process that started it is gone.
 *
 *     u32 little-endian   length of the header
 *     header              JSON
 *     payload             as many bytes as the header's `bytes` says
 */
export const REPLIES = 3;
export const LIFELINE = 4;

/** To the process, which is ended by a signal. */
export type Request =
  /** How many channels ONNX Runtime has side by side where it convolves. Answered by `block`. */
  | { op: 'ask-block'; id: number; bytes: 0 }
  /** Payload: the kernel's values in float32. It feeds the graphs prepared from now on. Answered by `ready` or `failed`. */
  | ({ op: 'feed'; id: number; bytes: number } & Pick<FedKernel, 'shape' | 'slices' | 'input'>)
  /** Payload: the ONNX graph. Answered by `ready` or `failed`. */
  | {
      op: 'prepare';
      id: number;
      bytes: number;
      /** What it is called from now on. */
      graph: number;
      inputs: readonly string[];
      /** The names of the inputs that take weights. */
      fed: readonly string[];
      threads: number;
    }
  /** Payload: a frame. Not answered. */
  | { op: 'upload'; bytes: number; slot: number }
  | { op: 'free'; bytes: 0; slots: readonly number[] }
  /** Answered by `done` or `failed`. */
  | { op: 'infer'; id: number; bytes: 0; graph: number; windows: readonly WindowRequest[] }
  /** Of a graph of floats. Answered by `outputs` or `failed`. */
  | { op: 'run'; id: number; bytes: 0; graph: number; slots: readonly number[] };

export interface WindowRequest {
  readonly slots: readonly number[];
  /** Slots that take copies of the outputs; none, or one for each. */
  readonly keep: readonly number[];
}

/** From the process. */
export type Reply =
  | { op: 'ready'; id: number; bytes: 0 }
  /** 1 where it has them in ONNX's own order. */
  | { op: 'block'; id: number; bytes: 0; block: number }
  /** Payload: the new frames of all windows, one after another. */
  | { op: 'done'; id: number; bytes: number; peaks: readonly (number | null)[]; ms: number }
  /** Payload: the outputs' values in float32, one output after another. */
  | { op: 'outputs'; id: number; bytes: number; outputs: readonly { name: string; dims: readonly number[] }[] }
  | { op: 'failed'; id: number; bytes: 0; message: string };

type Header = Request | Reply;

// A header lists at most 64 windows of a few slots each.
const LONGEST_HEADER = 1 << 20;

/** What goes over the pipe before the payload. */
export function encodeHeader(header: Header): Uint8Array {
  const json = Buffer.from(JSON.stringify(header));
  const message = Buffer.allocUnsafe(4 + json.length);
  message.writeUInt32LE(json.length);
  json.copy(message, 4);
  return message;
}

/** Puts messages together again from the pieces in which a pipe delivers them, filling payloads in place. */
export class MessageReader<H extends Header> {
  readonly #place: (header: H) => readonly Uint8Array[];
  readonly #deliver: (header: H, payload: readonly Uint8Array[]) => void;
  #headerBytes = Buffer.alloc(0);
  #header: H | undefined;
  #payload: readonly Uint8Array[] = [];
  /** The piece of the payload being filled, and how far. */
  #piece = 0;
  #offset = 0;

  /**
   * @param place gives the memory for a message's payload: pieces that hold `header.bytes` bytes in all.
   * @param deliver is called with each message when it is complete.
   */
  constructor(
    place: (header: H) => readonly Uint8Array[],
    deliver: (header: H, payload: readonly Uint8Array[]) => void,
  ) {
    this.#place = place;
    this.#deliver = deliver;
  }

  read(chunk: Uint8Array): void {
    for (let rest = chunk; ; ) {
      if (!this.#header) {
        rest = this.#readHeader(rest);
        if (!this.#header) return;
      }
      rest = this.#readPayload(rest);
      if (this.#piece < this.#payload.length) return;
      const header = this.#header;
      this.#header = undefined;
      this.#deliver(header, this.#payload);
    }
  }

  #readHeader(chunk: Uint8Array): Uint8Array {
    const bytes = Buffer.concat([this.#headerBytes, chunk.subarray(0, LONGEST_HEADER + 4)]);
    const taken = this.#headerBytes.length;
    const length = bytes.length < 4 ? 0 : bytes.readUInt32LE();
    if (length > LONGEST_HEADER) throw new Error(`a message header of ${length} bytes came`);
    if (bytes.length < 4 || bytes.length < 4 + length) {
      this.#headerBytes = bytes;
      return chunk.subarray(chunk.length);
    }
    this.#headerBytes = Buffer.alloc(0);
    this.#header = JSON.parse(bytes.toString('utf8', 4, 4 + length)) as H;
    this.#payload = this.#place(this.#header);
    this.#piece = 0;
    this.#offset = 0;
    return chunk.subarray(4 + length - taken);
  }

  #readPayload(chunk: Uint8Array): Uint8Array {
    let rest = chunk;
    while (this.#piece < this.#payload.length) {
      const piece = this.#payload[this.#piece]!;
      const part = rest.subarray(0, piece.length - this.#offset);
      piece.set(part, this.#offset);
      this.#offset += part.length;
      rest = rest.subarray(part.length);
      if (this.#offset < piece.length) break;
      this.#piece++;
      this.#offset = 0;
    }
    return rest;
  }
}
