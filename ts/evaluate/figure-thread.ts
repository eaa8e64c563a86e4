// A thread that compares pictures: started by figure-pool.ts, one request at a time.
import { parentPort } from 'node:worker_threads';
import type { FigureRequest } from './figure-pool.js';
import { figuresOf } from './figures.js';

parentPort!.on('message', ({ made, truth, variants }: FigureRequest) => {
  parentPort!.postMessage(figuresOf(made, truth, variants));
});
