import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { type Command, defineCommand } from '../../ts/cli/command.js';
import { runCommandLine } from '../../ts/cli/run.js';
import { FlavrError } from '../../ts/errors.js';
import { rational } from '../../ts/rational.js';

const echo = defineCommand({
  name: 'echo',
  summary: 'give back what came',
  positionals: ['IN', 'MORE?'],
  options: {
    loud: { type: 'boolean', help: 'shout' },
    word: { type: 'string', short: 'w', value: 'W', multiple: true, help: 'a word' },
  },
  example: 'flavr echo a',
  async run({ positionals, options, print }) {
    print(`heard ${positionals.join(' ')}`);
    return { positionals, options, time: rational(1n, 3n) };
  },
});

function failing(error: unknown): Command {
  return { ...echo, name: 'fail', run: () => Promise.reject(error) };
}

async function run(
  words: string[],
  options: { command?: Command; signal?: AbortSignal; columns?: number | undefined } = {},
) {
  const printed = { out: '', error: '' };
  const command = options.command ?? echo;
  const code = await runCommandLine(
    new Map([[command.name, async () => command]]),
    words,
    {
      out: (text) => {
        printed.out += text;
      },
      error: (text) => {
        printed.error += text;
      },
      columns: options.columns,
    },
    options.signal ?? new AbortController().signal,
  );
  return { code, ...printed };
}

test('a command prints for people and ends with 0', async () => {
  assert.equal(await run(['echo', 'a']), { code: 0, out: 'heard a\n', error: '' });
});

test('--json prints one document and nothing else on stdout', async () => {
  const { code, out } = await run(['echo', 'a', '--loud', '-w', 'x', '--word=y', '--json']);
  assert.is(code, 0);
  assert.equal(JSON.parse(out), { positionals: ['a'], options: { loud: true, word: ['x', 'y'] }, time: '1/3' });
});

test('wrong usage ends with 2 and names the help', async () => {
  for (const words of [['echo'], ['echo', 'a', 'b', 'c'], ['echo', 'a', '--wrong'], ['echo', 'a', '--word']]) {
    const { code, out, error } = await run(words);
    assert.is(code, 2, words.join(' '));
    assert.is(out, '');
    assert.match(error, /^flavr: BAD_ARGUMENT: .*flavr echo --help\n$/);
  }
});

test('words that begin with a dash are explained in a sentence', async () => {
  for (const [words, sentence] of [
    [
      ['echo', 'a', '-w', '-1'],
      "Option '-w' needs a value, and a word with a dash follows; if that is the value, write ",
    ],
    [['echo', '-clip.mp4'], "Unknown option '-c'. Write a file whose name begins with a dash as ./-NAME. See: "],
    [['echo', '--clip.mp4'], "Unknown option '--clip.mp4'. See: "],
  ] as const) {
    const { code, error } = await run([...words]);
    assert.is(code, 2);
    assert.ok(error.startsWith(`flavr: BAD_ARGUMENT: ${sentence}`), error);
    assert.is(error.trimEnd().split('\n').length, 1);
  }
});

test('options that a command needs are in its usage line, and asked for all at once', async () => {
  const command = defineCommand({
    ...echo,
    positionals: [],
    options: {
      size: { type: 'string', value: 'WxH', required: true, help: 'how large' },
      output: { type: 'string', short: 'o', value: 'FILE', required: true, help: 'where to' },
    },
    run: async ({ options }) => options,
  });
  assert.match((await run(['echo', '--help'], { command })).out, /^Usage: flavr echo --size WxH -o FILE \[options\]$/m);
  const { code, error } = await run(['echo'], { command });
  assert.is(code, 2);
  assert.match(error, /needs --size WxH and -o FILE\. See: flavr echo --help/);
  assert.match((await run(['echo', '-o', 'x'], { command })).error, /needs --size WxH\. See/);
  assert.match((await run(['echo', 'x'], { command })).error, /takes --size WxH -o FILE; got x\./);
});

test('an option with an empty value, as of a variable that is not set, is wrong usage', async () => {
  const { code, error } = await run(['echo', 'a', '--word', '']);
  assert.is(code, 2);
  assert.match(error, /^flavr: BAD_ARGUMENT: --word was given an empty value\. See: flavr echo --help\n$/);
});

test('an unknown command ends with 2 and lists the known ones', async () => {
  const { code, error } = await run(['dance']);
  assert.is(code, 2);
  assert.match(error, /dance.*echo/);
});

test('a failure ends with 1 and says code, what happened and what to do', async () => {
  const command = failing(new FlavrError('OUTPUT_EXISTS', 'out.mp4 exists; add --overwrite.'));
  assert.equal(await run(['fail', 'a'], { command }), {
    code: 1,
    out: '',
    error: 'flavr: OUTPUT_EXISTS: out.mp4 exists; add --overwrite.\n',
  });
});

test('a failure under --json is still one document', async () => {
  const command = failing(new FlavrError('MODEL_NOT_FOUND', 'No such model.'));
  const { code, out } = await run(['fail', 'a', '--json'], { command });
  assert.is(code, 1);
  assert.equal(JSON.parse(out), { error: { code: 'MODEL_NOT_FOUND', message: 'No such model.' } });
});

test('an error that is not ours is shown with its stack, for a report', async () => {
  const { code, error } = await run(['fail', 'a'], { command: failing(new TypeError('x is undefined')) });
  assert.is(code, 1);
  assert.match(error, /^flavr: INTERNAL: x is undefined\nTypeError[\s\S]*\n {4}at /);
});

test('an interrupted command ends with 130, whatever error the interruption caused', async () => {
  const { code, error } = await run(['fail', 'a'], {
    command: failing(new Error('stream closed')),
    signal: AbortSignal.abort(),
  });
  assert.is(code, 130);
  assert.match(error, /^flavr: ABORTED: /);
});

test('a command that goes on after its interruption is not waited for', async () => {
  const goesOn = setInterval(() => {}, 1000);
  const command: Command = { ...echo, name: 'hang', run: () => new Promise(() => {}) };
  const { code, error } = await run(['hang', 'a'], { command, signal: AbortSignal.abort() });
  clearInterval(goesOn);
  assert.is(code, 130);
  assert.match(error, /^flavr: ABORTED: /);
});

test('--help explains a command with its options and an example', async () => {
  const { code, out } = await run(['echo', '--help']);
  assert.is(code, 0);
  for (const part of ['Usage: flavr echo IN [MORE]', '-w, --word W', '--json', 'flavr echo a']) assert.match(out, part);
});

test('help COMMAND is COMMAND --help', async () => {
  assert.equal(await run(['help', 'echo']), await run(['echo', '--help']));
});

test('help fits the terminal', async () => {
  const wordy = { ...echo, options: { x: { type: 'boolean', help: 'word '.repeat(60).trim() } } } as const;
  for (const [columns, longest] of [
    [72, 72],
    [300, 100],
    [undefined, 100],
  ]) {
    const { out } = await run(['echo', '--help'], { command: wordy, columns });
    const lengths = out.split('\n').map((line) => line.length);
    assert.ok(Math.max(...lengths) <= longest! && Math.max(...lengths) > longest! - 10, `${columns}: ${lengths}`);
  }
});

test('help lists the commands; no command at all is wrong usage', async () => {
  assert.match((await run(['help'])).out, /echo +give back what came/);
  assert.is((await run([])).code, 2);
  assert.match((await run(['--version'])).out, /^\d+\.\d+\.\d+\n$/);
});

test.run();
