import type { CommandLoaders } from './run.js';

/** Every command of `flavr`, in the order in which `flavr help` lists them. */
export const COMMANDS: CommandLoaders = new Map([
  ['interpolate', async () => (await import('./interpolate.js')).interpolate],
  ['inspect', async () => (await import('./inspect.js')).inspect],
  ['export', async () => (await import('./export.js')).exportGraph],
  ['models', async () => (await import('./models.js')).models],
]);
