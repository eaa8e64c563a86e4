// The program of the process that runs ONNX Runtime: started by cpu-process.ts.
import { serve } from './cpu-host.js';
import type { Ort } from './find-block.js';

await serve(async () => {
  const ort = await import('onnxruntime-node');
  return 'default' in ort ? (ort.default as Ort) : ort;
});
