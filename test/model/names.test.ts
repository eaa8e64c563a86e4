import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { upstreamName, upstreamNames } from '../../ts/model/names.js';
import { readGolden } from '../support/goldens.js';
import { mmagicName } from '../support/mmagic.js';

const test = suite('tensor names');

for (const golden of ['r18-k8', 'r18-k2-batchnorm', 'r18-k2-upsample', 'r34-k2']) {
  test(`MMagic's names for every tensor of ${golden} map to upstream's`, async () => {
    for (const name of Object.keys((await readGolden(golden)).tensors)) assert.is(upstreamName(mmagicName(name)), name);
  });
}

test("MMagic's names are the ones its network has", () => {
  const pairs = {
    'generator.encoder.stem_layer.conv.weight': 'encoder.stem.0.weight',
    'generator.encoder.layer2.0.conv1.conv.weight': 'encoder.layer2.0.conv1.0.weight',
    'generator.encoder.layer2.0.conv2.conv.bias': 'encoder.layer2.0.conv2.0.bias',
    'generator.encoder.layer2.0.conv2.bn.running_mean': 'encoder.layer2.0.conv2.1.running_mean',
    'generator.encoder.layer2.0.fg.attn_layer.0.weight': 'encoder.layer2.0.fg.attn_layer.0.weight',
    'generator.encoder.layer2.0.downsample.conv.weight': 'encoder.layer2.0.downsample.0.weight',
    'generator.decoder.layer0.conv.0.weight': 'decoder.0.conv.0.weight',
    'generator.decoder.layer0.conv.1.attn_layer.0.bias': 'decoder.0.conv.1.attn_layer.0.bias',
    'generator.decoder.layer1.upconv.0.weight': 'decoder.1.upconv.0.weight',
    'generator.feature_fuse.conv.weight': 'feature_fuse.conv.0.weight',
    'generator.conv_last.1.bias': 'outconv.1.bias',
  };
  for (const [mmagic, upstream] of Object.entries(pairs)) assert.is(upstreamName(mmagic), upstream);
});

test("upstream's own names stay, whatever stands in front", () => {
  for (const name of ['encoder.layer1.0.conv1.0.weight', 'feature_fuse.conv.0.weight', 'decoder.0.conv.0.bias']) {
    for (const prefix of ['', 'module.', 'generator.', 'module.generator.', '_orig_mod.module.', 'model.']) {
      assert.is(upstreamName(prefix + name), name);
    }
  }
});

test('counters of batch norm and parts beside the generator are left out', () => {
  const names = upstreamNames([
    'generator.outconv.1.weight',
    'generator.encoder.stem.1.num_batches_tracked',
    'discriminator.outconv.1.weight',
    'step_counter',
  ]);
  assert.equal([...names], [['outconv.1.weight', ['generator.outconv.1.weight']]]);
});

test('two tensors that map to one name are both told', () => {
  const names = upstreamNames(['outconv.1.weight', 'module.outconv.1.weight']);
  assert.equal([...names.values()], [['outconv.1.weight', 'module.outconv.1.weight']]);
});

test.run();
