import * as ort from 'onnxruntime-node';
import { serve } from '../../ts/backends/cpu-host.js';
import { decodeModel } from '../../ts/model/onnx/reader.js';

// The program of a CPU session's process whose ONNX Runtime takes no graph in blocks, as where it has none.
await serve(async () => ({
  Tensor: ort.Tensor,
  InferenceSession: {
    async create(graph: Uint8Array, options: ort.InferenceSession.SessionOptions) {
      if (decodeModel(graph).opsets.has('com.microsoft.nchwc'))
        throw new Error('com.microsoft.nchwc is not registered');
      return ort.InferenceSession.create(graph, options);
    },
  } as typeof ort.InferenceSession,
}));
