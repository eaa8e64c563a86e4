import { execFileSync, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import type { Backend } from '../../ts/backends/backend.js';
import { type TensorRtParts, tensorRtBackend } from '../../ts/backends/tensorrt.js';
import type { Frame } from '../../ts/frame.js';
import { modelInputs } from '../../ts/model/config.js';
import type { NativeAddon } from '../../ts/native.js';

/** What the addon of the tests has beyond the shipped one (native/test/sim_addon.cc). */
interface Simulator {
  plan(plan: {
    inputs: number;
    batch: number;
    factor: number;
    width: number;
    height: number;
    activationBytes: number;
    computeUs: number;
  }): Uint8Array;
  /** Speeds in microseconds; of a fault, the occasion from now at which it strikes, 0 to disarm it. */
  set(
    values: Partial<
      Record<
        | 'copyLatencyUs'
        | 'copyBytesPerUs'
        | 'extraComputeUs'
        | 'totalMemory'
        | 'outOfMemory'
        | 'launchFailure'
        | 'copyFailure'
        | 'captureFailure'
        | 'deviceLost'
        | 'badPeak',
        number
      >
    >,
  ): void;
  gauges(): {
    readonly deviceAllocations: number;
    readonly pinnedAllocations: number;
    readonly streams: number;
    readonly events: number;
    readonly graphs: number;
    readonly contexts: number;
    readonly upUs: number;
    readonly computeUs: number;
    readonly downUs: number;
    readonly violations: readonly string[];
  };
  refuseExternalBuffers(): void;
}

export type SimulatedAddon = NativeAddon & { readonly simulator: Simulator };

/** Whether the addon on the simulated device can be built here. */
export const canSimulate = spawnSync('cmake', ['--version']).status === 0;

/** Path of the addon on the simulated device, built if it is not there. `FLAVR_NATIVE_FLAVOUR` chooses its sanitizers. */
export function simulatorPath(): string {
  const flavour = process.env.FLAVR_NATIVE_FLAVOUR ?? 'plain';
  // A sanitizer that is loaded into this process has no business in the compiler.
  const env = { ...process.env, LD_PRELOAD: '' };
  return execFileSync(process.execPath, ['scripts/native-tests.mjs', flavour, 'flavr'], {
    encoding: 'utf8',
    env,
  }).trim();
}

export const loadSimulator = (path = simulatorPath()): SimulatedAddon => createRequire(import.meta.url)(path);

/** What the simulated engine gives: native/sim/network.h. It is no model of anything. */
export function simulatedOutput(frames: readonly Frame[], _factor: number, index: number): Frame {
  return frames[0]!.map((_, byte) => {
    let sum = 29 * (index + 1);
    for (const [c, frame] of frames.entries()) sum += (2 * c + 3) * frame[byte]!;
    return sum;
  });
}

/** The GPU backend on the simulated device. */
export function simulatedBackend(
  addon: SimulatedAddon,
  { computeUs = 0, ...parts }: { computeUs?: number } & Partial<TensorRtParts> = {},
): Backend {
  return tensorRtBackend('tensorrt', {
    addon: () => addon,
    unavailable: async () => undefined,
    engine: async ({ model, format, batch }, factor) => {
      const { width, height } = format;
      const inputs = modelInputs(model);
      const plan = addon.simulator.plan({ inputs, batch, factor, width, height, activationBytes: 4096, computeUs });
      return { plan, library: 'simulated', kernelCache: '' };
    },
    ...parts,
  });
}
