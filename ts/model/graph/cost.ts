import type { Lowering, Stride } from './network.js';
import type { Kernel } from './weights.js';

/** Size of an activation of one window. */
export interface Extent {
  readonly channels: number;
  readonly time: number;
  readonly height: number;
  readonly width: number;
}

/** Walks the network and counts what its convolutions multiply and add, for one window. */
export class CostCount implements Lowering<Extent, Extent> {
  /** Multiply-adds of taps that meet a frame of the window. */
  useful = 0;
  /** All taps, those on padding too: as papers count. */
  padded = 0;

  conv(_name: string, x: Extent, kernel: Pick<Kernel, 'shape'>, stride: Stride): Extent {
    const [out, channels, time, height, width] = kernel.shape as [number, number, number, number, number];
    const y = {
      channels: out,
      time: Math.ceil(x.time / stride.time),
      height: Math.ceil(x.height / stride.space),
      width: Math.ceil(x.width / stride.space),
    };
    const pad = (time - 1) / 2;
    let taps = 0;
    for (let t = 0; t < y.time; t++) {
      for (let slice = 0; slice < time; slice++) {
        const step = t * stride.time + slice - pad;
        if (step >= 0 && step < x.time) taps++;
      }
    }
    this.#count(y.height * y.width * out * channels * height * width, taps, y.time * time);
    return y;
  }

  deconv(_name: string, x: Extent, kernel: Pick<Kernel, 'shape'>, timeStride: number): Extent {
    const [channels, out, time, height, width] = kernel.shape as [number, number, number, number, number];
    const y = { channels: out, time: x.time * timeStride, height: 2 * x.height, width: 2 * x.width };
    let taps = 0;
    for (let step = 0; step < x.time; step++) {
      for (let slice = 0; slice < time; slice++) {
        const t = step * timeStride + slice - 1;
        if (t >= 0 && t < y.time) taps++;
      }
    }
    this.#count(x.height * x.width * channels * out * height * width, taps, x.time * time);
    return y;
  }

  upsample(_name: string, x: Extent, time: number): Extent {
    return { ...x, time: x.time * time, height: 2 * x.height, width: 2 * x.width };
  }

  poolTime(_name: string, x: Extent): Extent {
    return { ...x, time: x.time / 2 };
  }

  gate(_name: string, x: Extent): Extent {
    this.#count(x.channels * x.channels, 1, 1);
    return x;
  }

  affine = (_name: string, x: Extent): Extent => x;
  relu = (_name: string, x: Extent): Extent => x;
  leakyRelu = (_name: string, x: Extent): Extent => x;
  add = (_name: string, x: Extent): Extent => x;

  concat(_name: string, a: Extent, b: Extent): Extent {
    return { ...a, channels: a.channels + b.channels };
  }

  fuse(_name: string, x: Extent, kernel: Pick<Kernel, 'shape'>): Extent {
    return this.#image({ ...x, time: 1 }, kernel);
  }

  head(_name: string, y: Extent, kernel: Pick<Kernel, 'shape'>): Extent {
    return this.#image(y, kernel);
  }

  #image(y: Extent, kernel: Pick<Kernel, 'shape'>): Extent {
    this.#count(y.height * y.width * kernel.shape.reduce((a, b) => a * b, 1), 1, 1);
    return { ...y, channels: kernel.shape[0]! };
  }

  #count(each: number, usefulTaps: number, allTaps: number): void {
    this.useful += each * usefulTaps;
    this.padded += each * allTaps;
  }
}
