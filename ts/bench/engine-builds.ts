import { buildEngine } from '../engine/build.js';
import { FlavrError, throwIfAborted } from '../errors.js';
import type { Model } from '../model/config.js';
import type { Point } from './scenarios.js';

/** How long a TensorRT library takes to build an engine of one point, or why none was built. */
export type EngineBuild = { readonly backend: 'tensorrt' | 'tensorrt-rtx' } & (
  | {
      readonly version: string;
      readonly precision: Point['precision'];
      readonly lowering: Point['lowering'];
      /** Of the builder's work and the graph's, without the search for the library; measured once. */
      readonly buildMs: number;
      readonly engineBytes: number;
    }
  | { readonly problem: string }
);

/**
 * Builds an engine with each TensorRT library that is installed, past the cache. TensorRT builds on the GPU that is to run
 * the engine; TensorRT-RTX needs no GPU, and compiles the kernels later, on the device.
 */
export async function measureEngineBuilds(model: Model, point: Point, signal?: AbortSignal): Promise<EngineBuild[]> {
  const { width, height, k, batch } = point;
  // What these backends take by themselves: a point of the CPU says nothing of them.
  const precision = 'fp16';
  const lowering = point.lowering === '2d' ? '2d' : '3d';
  const builds: EngineBuild[] = [];
  for (const backend of ['tensorrt', 'tensorrt-rtx'] as const) {
    throwIfAborted(signal);
    let started = 0;
    try {
      const { header, plan } = await buildEngine(model, {
        ...{ backend, width, height, factor: k, batch, precision, lowering, signal },
        // The first stage begins when the library has been found.
        onProgress: () => {
          started ||= performance.now();
        },
      });
      const buildMs = performance.now() - started;
      builds.push({ backend, version: header.version, precision, lowering, buildMs, engineBytes: plan.byteLength });
    } catch (error) {
      if (!(error instanceof FlavrError) || error.code === 'ABORTED') throw error;
      builds.push({ backend, problem: error.message });
    }
  }
  return builds;
}
