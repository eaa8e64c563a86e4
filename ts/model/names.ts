/**
 * The two namings of FLAVR weights in the wild, and the prefixes that training programs put in front. Everything past this
 * file knows upstream's names only (`encoder.layer1.0.conv1.0.weight`).
 */

/** DataParallel, torch.compile, MMagic's interpolator, and wrappers that call the network `model`. */
const PREFIXES = /^(?:(?:module|_orig_mod|generator|model)\.)+/;
/** MMagic keeps the network under this name, beside parts that are none of its weights. */
const GENERATOR = /^(?:(?:module|_orig_mod|model)\.)*generator\./;
/** A counter of batch norm that only training reads. */
const IGNORED = /\.num_batches_tracked$/;

/** MMagic's way of saying it, and upstream's. */
const RENAMES: readonly (readonly [RegExp, string])[] = [
  [/^encoder\.stem_layer\./, 'encoder.stem.'],
  [/^decoder\.layer(\d+)\./, 'decoder.$1.'],
  [/^conv_last\./, 'outconv.'],
  [/^feature_fuse\.conv\.(weight|bias)$/, 'feature_fuse.conv.0.$1'],
  [/^feature_fuse\.bn\./, 'feature_fuse.conv.1.'],
  // Its encoder wraps a convolution and its norm as `conv` and `bn`; upstream counts them.
  [/^(encoder\..+)\.conv\.(weight|bias)$/, '$1.0.$2'],
  [/^(encoder\..+)\.bn\.(\w+)$/, '$1.1.$2'],
];

/** Upstream's name for a tensor of either naming. */
export function upstreamName(name: string): string {
  return RENAMES.reduce((renamed, [pattern, into]) => renamed.replace(pattern, into), name.replace(PREFIXES, ''));
}

/**
 * Upstream's names of a checkpoint's tensors, each with the names that the checkpoint has for it (one, unless it is
 * ambiguous). Tensors outside the network and counters of training are left out.
 */
export function upstreamNames(names: Iterable<string>): Map<string, string[]> {
  const wanted = [...names].filter((name) => !IGNORED.test(name));
  const generator = wanted.filter((name) => GENERATOR.test(name));
  const found = new Map<string, string[]>();
  for (const name of generator.length > 0 ? generator : wanted) {
    const upstream = upstreamName(name);
    const others = found.get(upstream);
    if (others) others.push(name);
    else found.set(upstream, [name]);
  }
  return found;
}
