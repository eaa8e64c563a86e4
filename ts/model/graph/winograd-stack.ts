import { ElementType } from '../onnx/proto.js';
import { elementCount } from '../shape.js';
import type { GraphBuilder, Value } from './builder.js';
import type { Steps, TimeLayer } from './lowering-2d.js';
import { cutSlices, sumOfSlices } from './lowering-winograd-time.js';
import { matrixProduct, termBias, termsOf } from './winograd-terms.js';
import { OF_KERNEL, OF_TERMS, TERMS, TILE } from './winograd-time.js';

/**
 * Convolutions of one stack [T, C, H, W] with Winograd's algorithm F(4, 3) along time; a stack of each goes out. The terms
 * along time are six groups of channels, and all sums are products with small matrices.
 *
 * Several are the phases of a transposed convolution, which stay apart: what stands behind it, up to the next layer that
 * looks at neighbours, is done to each, and only then are they put in order.
 * @param layers what each makes along time.
 */
export function convolveStack(b: GraphBuilder, name: string, x: Value, layers: readonly TimeLayer[]): Steps {
  const terms = termsOf(b, name, x);
  const tiles = terms.shape[0]!;
  return layers.map((layer, phase) => {
    const [, out, ...size] = layer.form.shape as [number, number, number, number];
    const at = (what: string) => `${name}.phase${phase}.${what}`;
    const weights = b.weight(
      `${layer.kernel.name}.winograd.phase${phase}`,
      ElementType.float32,
      [TERMS * out, ...layer.weightShape.slice(1)],
      () => ofAllTerms(layer),
    );
    const inputs = [terms, weights, ...termBias(b, layer.kernel)];
    const attributes = { ...layer.form.attributes, group: TERMS };
    const products = b.node('Conv', at('products'), inputs, [tiles, TERMS * out, ...size], attributes);
    const all = b.reshape(at('all'), products, [tiles, TERMS, elementCount([out, ...size])]);
    const ofTerms = matrixProduct(b, `${name}.phase${phase}`, 'of-terms', OF_TERMS, all);
    return b.reshape(at('stack'), ofTerms, [TILE * tiles, out, ...size]);
  });
}

/** The six terms' weights, one after another. */
function ofAllTerms(layer: TimeLayer): Float32Array {
  const slices = cutSlices(layer);
  const length = elementCount(layer.weightShape);
  const all = new Float32Array(TERMS * length);
  OF_KERNEL.forEach((factors, term) => {
    all.set(sumOfSlices(slices, factors), term * length);
  });
  return all;
}
