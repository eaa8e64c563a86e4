import { parseArgs } from 'node:util';
import { FlavrError } from '../errors.js';

/** One option of a command, as `--name VALUE`, or `--name` for a switch. */
export interface OptionSpec {
  readonly type: 'string' | 'boolean';
  readonly short?: string;
  /** May be given more than once; the values come as a list. */
  readonly multiple?: boolean;
  /** What stands for the value in the help: `N`, `FILE`, `WxH`. */
  readonly value?: string;
  /** The command cannot do without it. */
  readonly required?: true;
  readonly help: string;
}

export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

type OptionValue<S extends OptionSpec> = S['type'] extends 'boolean'
  ? boolean
  : S['multiple'] extends true
    ? string[]
    : string;

type Required<O extends OptionSpecs> = { [K in keyof O]: O[K]['required'] extends true ? K : never }[keyof O];

export type OptionValues<O extends OptionSpecs> = { readonly [K in keyof O]?: OptionValue<O[K]> } & {
  readonly [K in Required<O>]: OptionValue<O[K]>;
};

/** What a running command may use of the world. */
export interface CommandContext<O extends OptionSpecs> {
  readonly positionals: readonly string[];
  readonly options: OptionValues<O>;
  readonly json: boolean;
  /** Fires on Ctrl-C and SIGTERM. */
  readonly signal: AbortSignal;
  /** A line for people on stdout; silent with --json, whose one document is the command's result. */
  print(line?: string): void;
  /** A line for people on stderr: warnings, progress. */
  note(line: string): void;
  /** Lets the run end with exit code 3: it did its job, and what it was told to check does not hold. */
  failCheck(): void;
}

/** A command: a thin layer that reads words, calls the public API, and prints what came back. */
export interface Command<O extends OptionSpecs = OptionSpecs> {
  readonly name: string;
  readonly summary: string;
  /** The positional words, for example `['IN']`; an optional one ends in `?`. */
  readonly positionals: readonly string[];
  readonly options: O;
  readonly example: string;
  /** Resolves with what --json prints: a plain JSON value. */
  run(context: CommandContext<O>): Promise<unknown>;
}

/** Keeps the option types of a command through its declaration. */
export function defineCommand<const O extends OptionSpecs>(command: Command<O>): Command<O> {
  return command;
}

/** Options that every command has. */
export const COMMON_OPTIONS = {
  json: { type: 'boolean', help: 'print one JSON document on stdout and nothing else there' },
  help: { type: 'boolean', short: 'h', help: 'print this help' },
} as const satisfies OptionSpecs;

/**
 * Reads a command's words.
 * @throws FlavrError `BAD_ARGUMENT` for unknown options, missing options or values, and too few or too many words.
 */
export function parseCommandLine<O extends OptionSpecs>(
  command: Command<O>,
  words: readonly string[],
): { positionals: string[]; options: OptionValues<O>; json: boolean; help: boolean } {
  const specs: OptionSpecs = { ...command.options, ...COMMON_OPTIONS };
  const config = Object.fromEntries(
    Object.entries(specs).map(([name, { type, short, multiple }]) => [
      name,
      { type, ...(short && { short }), ...(multiple && { multiple }) },
    ]),
  );
  let parsed: { values: Record<string, unknown>; positionals: string[] };
  try {
    parsed = parseArgs({ args: [...words], options: config, allowPositionals: true, strict: true });
  } catch (cause) {
    throw new FlavrError('BAD_ARGUMENT', `${usageProblem(cause)} See: flavr ${command.name} --help`, { cause });
  }
  const { json, help, ...options } = parsed.values;
  const empty = Object.keys(options).find((name) => [options[name]].flat().includes(''));
  if (empty !== undefined && !help) {
    // As a shell makes it of a variable that is not set; as a path it would mean the current folder.
    throw new FlavrError('BAD_ARGUMENT', `--${empty} was given an empty value. See: flavr ${command.name} --help`);
  }
  if (!help) {
    checkPositionals(command, parsed.positionals);
    const missing = requiredOptions(command).filter(([name]) => options[name] === undefined);
    if (missing.length > 0) {
      const needed = missing.map(([, usage]) => usage).join(' and ');
      throw new FlavrError('BAD_ARGUMENT', `flavr ${command.name} needs ${needed}. See: flavr ${command.name} --help`);
    }
  }
  return {
    positionals: parsed.positionals,
    options: options as OptionValues<O>,
    json: json === true,
    help: help === true,
  };
}

// parseArgs appends advice on escaping that is longer than its message.
function usageProblem(error: unknown): string {
  const text = (error as Error).message;
  const [, option, spelling] = /^(Option '.+?') argument is ambiguous[\s\S]* use (.+?)\.?$/.exec(text) ?? [];
  if (option)
    return `${option} needs a value, and a word with a dash follows; if that is the value, write ${spelling}.`;
  const message = text.split('. ')[0]!.replace(/\.$/, '');
  const advice = /^Unknown option '-[^-]/.test(text) ? ' Write a file whose name begins with a dash as ./-NAME.' : '';
  return `${message}.${advice}`;
}

function checkPositionals(command: Pick<Command, 'name' | 'positionals' | 'options'>, words: readonly string[]): void {
  const least = command.positionals.filter((word) => !word.endsWith('?')).length;
  if (words.length >= least && words.length <= command.positionals.length) return;
  // With the options that must be given: a second word is often one of those.
  const wanted =
    [...command.positionals, ...requiredOptions(command).map(([, usage]) => usage)].join(' ') || 'no words';
  const got = words.length === 0 ? 'none' : words.join(' ');
  throw new FlavrError(
    'BAD_ARGUMENT',
    `flavr ${command.name} takes ${wanted}; got ${got}. See: flavr ${command.name} --help`,
  );
}

/** The options that must be given, each with how it is written. */
function requiredOptions({ options }: Pick<Command, 'options'>): [name: string, usage: string][] {
  return Object.entries(options).flatMap(([name, { required, short, value }]) =>
    required ? [[name, `${short ? `-${short}` : `--${name}`} ${value}`]] : [],
  );
}

/** The text of `flavr COMMAND --help`, its lines at most `width` characters long. */
export function commandHelp(command: Command, width: number): string {
  const positionals = command.positionals.map((word) => (word.endsWith('?') ? `[${word.slice(0, -1)}]` : word));
  const required = requiredOptions(command).map(([, usage]) => usage);
  const specs: OptionSpecs = { ...command.options, ...COMMON_OPTIONS };
  const rows = Object.entries(specs).map(([name, spec]) => {
    const value = spec.type === 'string' ? ` ${spec.value ?? 'VALUE'}` : '';
    const short = spec.short ? `-${spec.short}, ` : '';
    return [`${short}--${name}${value}`, spec.help] as const;
  });
  return [
    `flavr ${command.name}: ${command.summary}`,
    '',
    `Usage: flavr ${[command.name, ...positionals, ...required, '[options]'].join(' ')}`,
    '',
    'Options:',
    ...formatRows(rows, width),
    '',
    'Example:',
    `  ${command.example}`,
  ].join('\n');
}

/** Two columns, the second wrapped so that a line stays within `width` characters. */
export function formatRows(rows: readonly (readonly [string, string])[], width: number): string[] {
  const left = Math.max(...rows.map(([label]) => label.length)) + 4;
  return rows.flatMap(([label, text]) => {
    const lines: string[] = [];
    let line = '';
    for (const word of text.split(' ')) {
      if (line && left + line.length + word.length + 1 > width) {
        lines.push(line);
        line = '';
      }
      line += line ? ` ${word}` : word;
    }
    lines.push(line);
    return lines.map((part, i) => `${(i === 0 ? `  ${label}` : '').padEnd(left)}${part}`);
  });
}
