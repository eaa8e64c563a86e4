import { openGraph, openRaw, openSession } from './ours.mjs';
import { openTrtexec } from './trtexec.mjs';

/** Ways to run the network in PyTorch, as torch_peer.py takes them. */
const TORCH = [
  ['PyTorch', { precision: 'fp32' }],
  ['PyTorch, channels last', { precision: 'fp32', channelsLast: true }],
  ['PyTorch, batch of 2', { precision: 'fp32', channelsLast: true, batch: 2 }],
  ['torch.compile', { precision: 'fp32', compile: {} }],
  ['PyTorch autocast', { precision: 'bf16', autocast: true }],
  ['torch.compile autocast', { precision: 'bf16', autocast: true, compile: { options: { freezing: true } } }],
];
const TORCH_GPU = [
  ['PyTorch on GPU', { precision: 'fp32' }],
  ['PyTorch on GPU, ch. last', { precision: 'fp16', channelsLast: true }],
  ['CUDA graphs', { precision: 'fp16', channelsLast: true, compile: { mode: 'reduce-overhead' } }],
  ['max-autotune', { precision: 'fp16', channelsLast: true, compile: { mode: 'max-autotune' } }],
];
/** PyTorch's two exporters to ONNX. */
const EXPORTERS = [
  ['ORT, dynamo export', true],
  ['ORT, TorchScript export', false],
];

/**
 * All that is compared, ours first.
 * @param context what is run: model, width, height, threads, the window as `frames` and in `windowFile`, a folder for files
 * @param {import('./line-process.mjs').LineProcess} torch
 * @returns {import('./measure.mjs').Peer[]}
 */
export function listPeers(context, torch) {
  const ours = (name, device, precision, open) => ({ name, ours: true, device, precision, batch: 1, open });
  const peer = (name, device, precision, open, batch = 1) => ({ name, ours: false, device, precision, batch, open });
  const inTorch =
    (torchDevice, device) =>
    ([name, recipe]) =>
      peer(name, device, recipe.precision, () => torch.open(name, { ...recipe, device: torchDevice }), recipe.batch);
  return [
    ours('flavr, raw graph', 'cpu', 'fp32', () => openRaw(context)),
    ours('flavr, session', 'cpu', 'fp32', () => openSession('cpu', context, 'fp32')),
    ...TORCH.filter(([, { precision }]) => precision === 'fp32').map(inTorch('cpu', 'cpu')),
    ...EXPORTERS.map(([name, dynamo]) =>
      peer(name, 'cpu', 'fp32', async () => {
        const { graph } = await torch.ask({ op: 'export', name, dynamo });
        return openGraph(graph, context);
      }),
    ),
    ...TORCH.filter(([, { precision }]) => precision === 'bf16').map(inTorch('cpu', 'cpu')),
    ours('flavr, TensorRT', 'gpu', 'fp16', () => openSession('tensorrt', context, 'fp16')),
    peer('trtexec, our graph', 'gpu', 'fp16', () => openTrtexec(context)),
    ...TORCH_GPU.map(inTorch('cuda', 'gpu')),
  ];
}
