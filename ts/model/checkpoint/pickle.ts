import { FlavrError } from '../../errors.js';
import { type ByteSource, invalid, readBytes } from './source.js';

/**
 * An interpreter for the part of Python's pickle language that torch.save writes. It executes nothing: a global is a name
 * that the host's allow-list turns into one of our own functions, and any other name stops the reading.
 */

/** Python values as they come out: lists and tuples are arrays, dicts are maps, a host's own objects are themselves. */
export type PickleValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleValue[]
  | Map<PickleValue, PickleValue>
  | PickleObject;

/** Base of the objects that a host lets a pickle build. */
export abstract class PickleObject {
  // Without a member of its own, any value at all would be of this type.
  readonly isPickleObject = true;
}

/**
 * An allowed global; `call` is what REDUCE does with it, undefined for arguments that it does not take. A call must cost no
 * more than the opcode that makes it: a few bytes of pickle can make the same call on the same large object a hundred
 * thousand times.
 */
export class PickleGlobal extends PickleObject {
  constructor(
    readonly name: string,
    readonly call?: (args: readonly PickleValue[]) => PickleValue | undefined,
  ) {
    super();
  }
}

export interface PickleHost {
  /** The allowed global `module.name`, or undefined. */
  global(module: string, name: string): PickleGlobal | undefined;
  /** The object that a persistent id stands for. */
  persistent(id: PickleValue): PickleValue;
}

/** Real checkpoints take tens of kilobytes and ten thousand opcodes; the limits bound what a hostile one can build. */
const BYTE_LIMIT = 16 * 2 ** 20;
const OPCODE_LIMIT = 500_000;
const FIRST_WINDOW = 2 ** 16;
/** The longest integer in use is torch's magic number, of 10 bytes. */
const INTEGER_BYTES_LIMIT = 16;

const Op = {
  MARK: 0x28,
  EMPTY_TUPLE: 0x29,
  STOP: 0x2e,
  POP: 0x30,
  POP_MARK: 0x31,
  DUP: 0x32,
  BINBYTES: 0x42,
  SHORT_BINBYTES: 0x43,
  BINFLOAT: 0x47,
  BININT: 0x4a,
  BININT1: 0x4b,
  BININT2: 0x4d,
  NONE: 0x4e,
  BINPERSID: 0x51,
  REDUCE: 0x52,
  BINSTRING: 0x54,
  SHORT_BINSTRING: 0x55,
  BINUNICODE: 0x58,
  EMPTY_LIST: 0x5d,
  APPEND: 0x61,
  BUILD: 0x62,
  GLOBAL: 0x63,
  DICT: 0x64,
  APPENDS: 0x65,
  BINGET: 0x68,
  INST: 0x69,
  LONG_BINGET: 0x6a,
  LIST: 0x6c,
  BINPUT: 0x71,
  LONG_BINPUT: 0x72,
  SETITEM: 0x73,
  TUPLE: 0x74,
  SETITEMS: 0x75,
  EMPTY_DICT: 0x7d,
  PROTO: 0x80,
  TUPLE1: 0x85,
  TUPLE2: 0x86,
  TUPLE3: 0x87,
  NEWTRUE: 0x88,
  NEWFALSE: 0x89,
  LONG1: 0x8a,
  SHORT_BINUNICODE: 0x8c,
  BINUNICODE8: 0x8d,
  BINBYTES8: 0x8e,
  STACK_GLOBAL: 0x93,
  MEMOIZE: 0x94,
  FRAME: 0x95,
} as const;

/** The pickle goes on past the bytes at hand. */
class Incomplete extends Error {}

/**
 * Interprets the pickle that starts at byte `offset` and ends before byte `limit`. Its length is not known beforehand, so
 * a growing window is read until the STOP opcode lies inside.
 * @returns the value, and the offset of the byte after the pickle.
 * @throws FlavrError `CHECKPOINT_UNSAFE` naming a global that is not allowed; `CHECKPOINT_INVALID` if it is damaged.
 */
export async function unpickle(
  source: ByteSource,
  offset: number,
  limit: number,
  host: PickleHost,
): Promise<{ value: PickleValue; end: number }> {
  const available = limit - offset;
  for (let window = FIRST_WINDOW; ; window *= 4) {
    const length = Math.min(window, available, BYTE_LIMIT);
    const machine = new Machine(source.name, await readBytes(source, offset, length, 'the pickle'), host);
    try {
      const value = machine.run();
      return { value, end: offset + machine.position };
    } catch (error) {
      if (!(error instanceof Incomplete)) throw error;
      if (length === available) throw invalid(source.name, `its pickle ends early, at byte ${limit}`);
      if (length === BYTE_LIMIT) throw invalid(source.name, `its pickle takes more than ${BYTE_LIMIT} bytes`);
    }
  }
}

class Machine {
  position = 0;
  #stack: PickleValue[] = [];
  readonly #marked: PickleValue[][] = [];
  readonly #memo = new Map<number, PickleValue>();

  constructor(
    readonly file: string,
    readonly bytes: Buffer,
    readonly host: PickleHost,
  ) {}

  run(): PickleValue {
    for (let count = 0; count < OPCODE_LIMIT; count++) {
      const opcode = this.#take(1)[0]!;
      if (opcode === Op.STOP) return this.#pop();
      const literal = this.#literal(opcode);
      if (literal === undefined) this.#step(opcode);
      else this.#push(literal);
    }
    throw invalid(this.file, `its pickle has more than ${OPCODE_LIMIT} opcodes`);
  }

  /** The value that an opcode writes out in full, or undefined if the opcode does something else. */
  #literal(opcode: number): PickleValue | undefined {
    switch (opcode) {
      case Op.NONE:
        return null;
      case Op.NEWTRUE:
        return true;
      case Op.NEWFALSE:
        return false;
      case Op.BININT:
        return this.#take(4).readInt32LE(0);
      case Op.BININT1:
        return this.#unsigned(1);
      case Op.BININT2:
        return this.#unsigned(2);
      case Op.LONG1:
        return this.#long(this.#unsigned(1));
      case Op.BINFLOAT:
        return this.#take(8).readDoubleBE(0);
      case Op.SHORT_BINUNICODE:
        return this.#take(this.#unsigned(1)).toString('utf8');
      case Op.BINUNICODE:
        return this.#take(this.#unsigned(4)).toString('utf8');
      case Op.BINUNICODE8:
        return this.#take(this.#unsigned(8)).toString('utf8');
      case Op.SHORT_BINSTRING:
        return this.#take(this.#unsigned(1)).toString('latin1');
      case Op.BINSTRING:
        return this.#take(this.#unsigned(4)).toString('latin1');
      case Op.SHORT_BINBYTES:
        return this.#take(this.#unsigned(1));
      case Op.BINBYTES:
        return this.#take(this.#unsigned(4));
      case Op.BINBYTES8:
        return this.#take(this.#unsigned(8));
      case Op.EMPTY_TUPLE:
      case Op.EMPTY_LIST:
        return [];
      case Op.EMPTY_DICT:
        return new Map();
      case Op.BINGET:
        return this.#recall(this.#unsigned(1));
      case Op.LONG_BINGET:
        return this.#recall(this.#unsigned(4));
      case Op.GLOBAL:
        return this.#global(this.#line(), this.#line());
      default:
        return undefined;
    }
  }

  #step(opcode: number): void {
    switch (opcode) {
      case Op.PROTO:
        this.#take(1);
        break;
      case Op.FRAME:
        this.#take(8);
        break;
      case Op.MARK:
        this.#marked.push(this.#stack);
        this.#stack = [];
        break;
      case Op.POP:
        this.#pop();
        break;
      case Op.POP_MARK:
        this.#popToMark();
        break;
      case Op.DUP:
        this.#push(this.#top());
        break;
      case Op.BINPUT:
        this.#memo.set(this.#unsigned(1), this.#top());
        break;
      case Op.LONG_BINPUT:
        this.#memo.set(this.#unsigned(4), this.#top());
        break;
      case Op.MEMOIZE:
        this.#memo.set(this.#memo.size, this.#top());
        break;
      case Op.TUPLE1:
        this.#tuple(1);
        break;
      case Op.TUPLE2:
        this.#tuple(2);
        break;
      case Op.TUPLE3:
        this.#tuple(3);
        break;
      case Op.TUPLE:
      case Op.LIST:
        this.#push(this.#popToMark());
        break;
      case Op.APPEND:
        this.#append([this.#pop()]);
        break;
      case Op.APPENDS:
        this.#append(this.#popToMark());
        break;
      case Op.DICT: {
        const items = this.#popToMark();
        this.#push(new Map());
        this.#setItems(items);
        break;
      }
      case Op.SETITEM: {
        const value = this.#pop();
        this.#setItems([this.#pop(), value]);
        break;
      }
      case Op.SETITEMS:
        this.#setItems(this.#popToMark());
        break;
      case Op.STACK_GLOBAL: {
        const name = this.#pop();
        this.#push(this.#global(this.#pop(), name));
        break;
      }
      case Op.REDUCE: {
        const args = this.#pop();
        this.#push(this.#call(this.#pop(), args));
        break;
      }
      case Op.BUILD:
        // State is never applied: what we build has none (an OrderedDict's attributes, a numpy type's flags).
        this.#pop();
        this.#top();
        break;
      case Op.BINPERSID:
        this.#push(this.host.persistent(this.#pop()));
        break;
      case Op.INST:
        this.#global(this.#line(), this.#line());
        throw this.#unsupported(opcode);
      default:
        throw this.#unsupported(opcode);
    }
  }

  #push(value: PickleValue): void {
    this.#stack.push(value);
  }

  #take(length: number): Buffer {
    const start = this.position;
    if (length > this.bytes.length - start) throw new Incomplete();
    this.position += length;
    return this.bytes.subarray(start, this.position);
  }

  #line(): string {
    const end = this.bytes.indexOf(0x0a, this.position);
    if (end < 0) throw new Incomplete();
    return this.#take(end + 1 - this.position)
      .toString('utf8')
      .slice(0, -1);
  }

  #unsigned(bytes: 1 | 2 | 4 | 8): number {
    const taken = this.#take(bytes);
    return bytes === 8 ? Number(taken.readBigUInt64LE(0)) : taken.readUIntLE(0, bytes);
  }

  #long(length: number): number | bigint {
    if (length > INTEGER_BYTES_LIMIT) throw invalid(this.file, `its pickle has an integer of ${length} bytes`);
    const bytes = this.#take(length);
    let value = 0n;
    for (let i = length - 1; i >= 0; i--) value = (value << 8n) | BigInt(bytes[i]!);
    value = BigInt.asIntN(8 * length, value);
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }

  #pop(): PickleValue {
    if (this.#stack.length === 0) throw this.#damaged();
    return this.#stack.pop()!;
  }

  #top(): PickleValue {
    if (this.#stack.length === 0) throw this.#damaged();
    return this.#stack.at(-1)!;
  }

  #popToMark(): PickleValue[] {
    const items = this.#stack;
    const below = this.#marked.pop();
    if (!below) throw this.#damaged();
    this.#stack = below;
    return items;
  }

  #tuple(length: number): void {
    if (this.#stack.length < length) throw this.#damaged();
    this.#stack.push(this.#stack.splice(-length));
  }

  #append(items: readonly PickleValue[]): void {
    const list = this.#top();
    if (!Array.isArray(list)) throw this.#damaged();
    for (const item of items) list.push(item);
  }

  #setItems(items: readonly PickleValue[]): void {
    const dict = this.#top();
    if (!(dict instanceof Map) || items.length % 2 !== 0) throw this.#damaged();
    for (let i = 0; i < items.length; i += 2) dict.set(items[i]!, items[i + 1]!);
  }

  #recall(index: number): PickleValue {
    const value = this.#memo.get(index);
    if (value === undefined) throw this.#damaged();
    return value;
  }

  #global(module: PickleValue, name: PickleValue): PickleGlobal {
    if (typeof module !== 'string' || typeof name !== 'string') throw this.#damaged();
    const global = this.host.global(module, name);
    if (global) return global;
    const shown = JSON.stringify(`${module}.${name}`.slice(0, 120));
    throw new FlavrError(
      'CHECKPOINT_UNSAFE',
      `${this.file} names the Python object ${shown}. flavr loads only tensors and plain values and runs no code of a ` +
        'checkpoint. Save the weights alone, with torch.save(model.state_dict(), path) or as safetensors.',
    );
  }

  #call(callee: PickleValue, args: PickleValue): PickleValue {
    const result = callee instanceof PickleGlobal && Array.isArray(args) ? callee.call?.(args) : undefined;
    if (result === undefined) throw this.#damaged();
    return result;
  }

  #damaged(): FlavrError {
    return invalid(this.file, `its pickle is damaged near byte ${this.position}`);
  }

  #unsupported(opcode: number): FlavrError {
    const hex = opcode.toString(16).padStart(2, '0');
    return invalid(
      this.file,
      `its pickle has the opcode 0x${hex} at byte ${this.position - 1}, which torch.save does not write`,
    );
  }
}
