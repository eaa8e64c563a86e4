import { closeSync, openSync, writeSync } from 'node:fs';
import { expectedTensors } from '../../../dist/model/layout.js';

// Biases that the network of scripts/train/model.py always has.
const ALWAYS_BIASED = /(attn_layer\.0|^decoder\..*|^outconv\.1)\.bias$/;

/** Writes a model's weights as safetensors, under the names and with the metadata that scripts/train/model.py reads. */
export function writeWeights(path, { config, tensors: given }) {
  const tensors = new Map(given);
  for (const [name, { shape }] of expectedTensors(config)) {
    // A bias that is not there is one of zeros.
    if (ALWAYS_BIASED.test(name) && !tensors.has(name)) tensors.set(name, { shape, data: new Float32Array(shape[0]) });
  }
  const { fusion, temporal, residual } = config;
  const header = { __metadata__: { joinType: fusion, temporal, residual } };
  let end = 0;
  for (const [name, { shape, data }] of tensors) {
    header[name] = { dtype: 'F32', shape, data_offsets: [end, end + data.byteLength] };
    end += data.byteLength;
  }
  const json = Buffer.from(JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  const file = openSync(path, 'w');
  try {
    for (const part of [length, json, ...[...tensors.values()].map(({ data }) => data)]) writeAll(file, part);
  } finally {
    closeSync(file);
  }
}

function writeAll(file, { buffer, byteOffset, byteLength }) {
  for (let at = 0; at < byteLength; ) at += writeSync(file, new Uint8Array(buffer, byteOffset + at, byteLength - at));
}
