/** How MMagic's interpolator calls a tensor of upstream's. */
export function mmagicName(name: string): string {
  const part = (index: string) => (index === '0' ? 'conv' : 'bn');
  return `generator.${name
    .replace(/^encoder\.stem\.(\d)\./, (_, index) => `encoder.stem_layer.${part(index)}.`)
    .replace(/^(encoder\..*\.(?:conv1|conv2|downsample))\.(\d)\./, (_, before, index) => `${before}.${part(index)}.`)
    .replace(/^decoder\.(\d)\./, 'decoder.layer$1.')
    .replace(/^feature_fuse\.conv\.(\d)\./, (_, index) => `feature_fuse.${part(index)}.`)
    .replace(/^outconv\./, 'conv_last.')}`;
}
