import type { CommandLoaders } from './run.js';

/** Every command of `flavr`, in the order in which `flavr help` lists them. */
export const COMMANDS: CommandLoaders = new Map([
  ['interpolate', async () => (await import('./interpolate.js')).interpolate],
  ['inspect', async () => (await import('./inspect.js')).inspect],
  ['models', async () => (await import('./models.js')).models],
  ['doctor', async () => (await import('./doctor.js')).doctor],
  ['evaluate', async () => (await import('./evaluate.js')).evaluate],
  ['explain', async () => (await import('./explain.js')).explain],
  ['bench', async () => (await import('./bench.js')).bench],
  ['calibrate', async () => (await import('./calibrate.js')).calibrate],
  ['export', async () => (await import('./export.js')).exportGraph],
  ['build', async () => (await import('./build.js')).build],
]);
