import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as ort from 'onnxruntime-node';
import '../no-telemetry.mjs';
import { CPU_LOWERING } from '../../../dist/backends/cpu-options.js';
import { findBlock } from '../../../dist/backends/find-block.js';
import { selectBackend } from '../../../dist/backends/select.js';
import { frameFormat } from '../../../dist/frame.js';
import { modelFactor, modelInputs } from '../../../dist/model/config.js';
import { buildGraph } from '../../../dist/model/graph/build.js';
import { LineProcess } from './line-process.mjs';

const HOST = fileURLToPath(new URL('./graph-process.mjs', import.meta.url));

/** The same window for all: 2C frames of bytes, and as float32 [3, 2C, H, W] in [0, 1]. Noise, which no kernel can skip. */
export function makeWindow(model, width, height) {
  const inputs = modelInputs(model);
  const pixels = width * height;
  const byte = (i) => Math.imul(i + 1, 2654435761) >>> 24;
  const frames = Array.from({ length: inputs }, (_, t) =>
    Uint8Array.from({ length: pixels * 3 }, (_, i) => byte(t * pixels * 3 + i)),
  );
  const floats = new Float32Array(inputs * pixels * 3);
  for (const [t, frame] of frames.entries()) {
    for (let channel = 0; channel < 3; channel++) {
      const plane = (channel * inputs + t) * pixels;
      for (let i = 0; i < pixels; i++) floats[plane + i] = frame[i * 3 + channel] / 255;
    }
  }
  return { frames, floats };
}

/** Our graph in its raw form, floats in and floats out, as PyTorch's forward is: like for like. Made for this processor. */
export async function openRaw(context) {
  const { model, width, height, folder } = context;
  const graph = join(folder, 'raw.onnx');
  const block = await findBlock(ort);
  await writeFile(graph, buildGraph(model, { width, height, form: 'raw', lowering: CPU_LOWERING, block }).bytes);
  return openGraph(graph, context);
}

/** Any graph from a window of floats to frames of floats, in a process of its own as our session is. */
export async function openGraph(graph, { model, width, height, threads, windowFile }) {
  const shape = [1, 3, modelInputs(model), height, width];
  const host = new LineProcess(process.execPath, [
    ...process.execArgv,
    HOST,
    graph,
    windowFile,
    shape,
    threads,
    `${graph}.f32`,
  ]);
  try {
    return { ...(await host.open('graph')), close: () => host.close() };
  } catch (error) {
    await host.close();
    throw error;
  }
}

/** A session as the package opens it: frames of bytes already uploaded, new frames of bytes back. */
export async function openSession(name, { model, width, height, threads, frames, folder }, precision) {
  const { backend } = await selectBackend(name);
  const problem = await backend.unavailable();
  if (problem !== undefined) throw new Error(problem);
  const factor = modelFactor(model);
  const format = frameFormat({ width, height });
  const cacheDir = join(folder, 'engines');
  const one = { batch: 1, inFlight: 1 };
  const session = await backend.openSession({ model, format, factors: [factor], precision, threads, cacheDir, ...one });
  const lane = session.openLane(frames.length);
  const slots = frames.map((frame) => lane.upload(frame));
  const infer = async () => {
    const [{ frames }] = await session.infer({ factor, windows: [{ slots }] });
    return frames;
  };
  const first = await infer();
  const output = planar(first, width * height);
  for (const frame of first) session.release(frame);
  return {
    output,
    rounded: true,
    run: () => timed(infer, (frames) => frames.forEach((frame) => void session.release(frame))),
    close: () => session.dispose(),
  };
}

async function timed(work, after) {
  const started = performance.now();
  const result = await work();
  const ms = performance.now() - started;
  after?.(result);
  return ms;
}

/** Frames of bytes [H, W, 3] as floats [frames, 3, H, W] in units of 1. */
function planar(frames, pixels) {
  const floats = new Float32Array(frames.length * pixels * 3);
  for (const [n, frame] of frames.entries()) {
    for (let i = 0; i < pixels * 3; i++) floats[(n * 3 + (i % 3)) * pixels + Math.floor(i / 3)] = frame[i] / 255;
  }
  return floats;
}
