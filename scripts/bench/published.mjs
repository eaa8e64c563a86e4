import { expectedTensors } from '../../dist/model/layout.js';

/** The published network’s shape for a factor, with weights that are noise of the size that training starts from. */
export function publishedShape(factor = 2) {
  const config = {
    encoder: 'r3d',
    blocks: [2, 2, 2, 2],
    widths: { stem: 64, stages: [64, 128, 256, 512], decoder: [256, 128, 64, 64, 64], fuse: 64 },
    inputs: 4,
    factor,
    fusion: 'concat',
    upsampling: 'transpose',
    batchNorm: false,
    gating: true,
    temporal: 'none',
    residual: 'mean',
  };
  const tensors = new Map();
  for (const [name, { shape, optional }] of expectedTensors(config)) {
    if (optional) continue;
    const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
    const bound = Math.sqrt(6 / (data.length / shape[0]));
    for (let i = 0; i < data.length; i++) data[i] = (Math.random() * 2 - 1) * bound;
    tensors.set(name, { shape, data });
  }
  return { kind: 'weights', config, decidedBy: {}, tensors, name: 'published-shape', hash: '', metadata: {} };
}
