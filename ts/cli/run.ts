import { FlavrError } from '../errors.js';
import { packageVersion } from '../package.js';
import { type Command, commandHelp, formatRows, parseCommandLine } from './command.js';

/** 0 done, 1 failed, 2 wrong usage, 3 done but a check asked for does not hold, 130 interrupted. */
export type ExitCode = 0 | 1 | 2 | 3 | 130;

/** Where a run of the command line writes; tests hand in their own. */
export interface Streams {
  out(text: string): void;
  error(text: string): void;
  /** Characters in a line of the terminal; undefined: there is none. */
  readonly columns?: number | undefined;
}

/** Commands are imported only when they are named, so that a run loads nothing it does not need. */
export type CommandLoaders = ReadonlyMap<string, () => Promise<Command>>;

// Time for an interrupted command to clean up before it ends regardless. What it leaves then is removed as the process exits.
const CLEANUP_MS = 800;

// Longer lines are hard to read, and much shorter ones leave no room beside the names of options.
const helpWidth = ({ columns = 100 }: Streams): number => Math.min(Math.max(columns, 60), 100);

/** Runs one command line to its exit code; never rejects. */
export async function runCommandLine(
  commands: CommandLoaders,
  words: readonly string[],
  streams: Streams,
  signal: AbortSignal,
): Promise<ExitCode> {
  const [name, ...rest] = words[0] === 'help' && words[1] !== undefined ? [words[1], '--help'] : words;
  try {
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      const text = await overview(commands, helpWidth(streams));
      if (name === undefined) streams.error(text);
      else streams.out(text);
      return name === undefined ? 2 : 0;
    }
    if (name === '--version' || name === '-v') {
      streams.out(`${packageVersion()}\n`);
      return 0;
    }
    const load = commands.get(name);
    if (!load) {
      const known = [...commands.keys()].join(', ');
      throw new FlavrError('BAD_ARGUMENT', `There is no command "${name}"; the commands are ${known}.`);
    }
    return await Promise.race([runCommand(await load(), rest, streams, signal), overdue(signal)]);
  } catch (error) {
    return reportFailure(error, words.includes('--json'), streams, signal);
  }
}

/** Rejects when a command has had its time since the signal. */
function overdue(signal: AbortSignal): Promise<never> {
  return new Promise((_resolve, reject) => {
    const start = () => void setTimeout(() => reject(signal.reason), CLEANUP_MS).unref();
    if (signal.aborted) start();
    else signal.addEventListener('abort', start, { once: true });
  });
}

async function runCommand(
  command: Command,
  words: readonly string[],
  streams: Streams,
  signal: AbortSignal,
): Promise<ExitCode> {
  const { positionals, options, json, help } = parseCommandLine(command, words);
  if (help) {
    streams.out(`${commandHelp(command, helpWidth(streams))}\n`);
    return 0;
  }
  let code: ExitCode = 0;
  const result = await command.run({
    positionals,
    options,
    json,
    signal,
    print: (line = '') => {
      if (!json) streams.out(`${line}\n`);
    },
    note: (line) => streams.error(`${line}\n`),
    failCheck: () => {
      code = 3;
    },
  });
  if (json) streams.out(`${JSON.stringify(result, jsonValue, 2)}\n`);
  return code;
}

function reportFailure(error: unknown, json: boolean, streams: Streams, signal: AbortSignal): ExitCode {
  const failure = describeFailure(error, signal);
  streams.error(`flavr: ${failure.code}: ${failure.message}\n`);
  // An error that is not ours is a defect in flavr: its stack is what a report needs.
  if (failure.code === 'INTERNAL' && error instanceof Error) streams.error(`${error.stack}\n`);
  if (json) streams.out(`${JSON.stringify({ error: failure }, null, 2)}\n`);
  if (failure.code === 'ABORTED') return 130;
  return failure.code === 'BAD_ARGUMENT' ? 2 : 1;
}

function describeFailure(error: unknown, signal: AbortSignal): { code: string; message: string } {
  if (signal.aborted) return { code: 'ABORTED', message: 'interrupted; no unfinished output was left behind' };
  if (error instanceof FlavrError) return { code: error.code, message: error.message };
  return { code: 'INTERNAL', message: error instanceof Error ? error.message : String(error) };
}

// Exact times are written as the fraction they are.
function jsonValue(_key: string, value: unknown): unknown {
  if (typeof value === 'bigint') return value.toString();
  if (isRational(value)) return value.den === 1n ? value.num.toString() : `${value.num}/${value.den}`;
  return value;
}

function isRational(value: unknown): value is { num: bigint; den: bigint } {
  const candidate = value as { num?: unknown; den?: unknown } | null;
  return typeof candidate?.num === 'bigint' && typeof candidate.den === 'bigint';
}

async function overview(commands: CommandLoaders, width: number): Promise<string> {
  const loaded = await Promise.all([...commands.values()].map((load) => load()));
  return [
    'flavr: video frame interpolation with FLAVR',
    '',
    'Usage: flavr COMMAND [options]',
    '',
    'Commands:',
    ...formatRows(
      loaded.map(({ name, summary }) => [name, summary] as const),
      width,
    ),
    '',
    'flavr COMMAND --help explains one. Example:',
    '  flavr interpolate holiday.mp4 -o smooth.mp4 -k 2',
    '',
  ].join('\n');
}
