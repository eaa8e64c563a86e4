import { untrainedModel } from '../../dist/bench/untrained.js';

export const publishedShape = (factor = 2) => untrainedModel('r18', factor);
