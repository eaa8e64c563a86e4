// A new process that makes one new frame and tells when: started by start-up.ts.
import { Interpolator } from '../index.js';
import type { StartUpMoments, StartUpRequest } from './start-up.js';

const now = (): number => performance.timeOrigin + performance.now();

const imported = now();
const { k, ...options } = JSON.parse(process.argv[2]!) as StartUpRequest;
const flavr = await Interpolator.open({ ...options, k, onNotice: () => {} });
const opened = now();
const frames = [1, 2].map((value) => new Uint8Array(options.width * options.height * 3).fill(value));
await flavr.interpolate(frames, k);
process.send!({ imported, opened, firstFrame: now() } satisfies StartUpMoments);
await flavr.dispose();
process.disconnect();
