#!/usr/bin/env node
import { unwritable } from '../video/output-file.js';
import { COMMANDS } from './commands.js';
import { runCommandLine } from './run.js';

// Time for what a command that was interrupted, or is so now, still frees after its end.
const LINGER_MS = 100;

const controller = new AbortController();
// The last is what a closed terminal or a lost connection sends. Once is enough: the end is near, and `npx`, `timeout` and
// others tell a command twice.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
  process.on(signal, () => controller.abort(new Error(signal)));
// `flavr … 2>&1 | head` closes the pipe early; that is no failure of ours, and the work goes on.
process.stderr.on('error', () => {});
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE' || process.exitCode === 1) return;
  const { code, message } = unwritable('stdout', error);
  process.stderr.write(`flavr: ${code}: ${message}\n`);
  process.exitCode = 1;
});

// Otherwise the AV1 encoder tells on stderr what it is; errors are told all the same.
process.env.SVT_LOG ??= '1';

const streams = {
  out: (text: string) => void process.stdout.write(text),
  error: (text: string) => void process.stderr.write(text),
  columns: process.stdout.columns,
};
const code = await runCommandLine(COMMANDS, process.argv.slice(2), streams, controller.signal);
// What could not be told is a failure, whatever else was done.
process.exitCode ||= code;
const linger = () => void setTimeout(() => process.exit(), LINGER_MS).unref();
if (controller.signal.aborted) linger();
else controller.signal.addEventListener('abort', linger);
