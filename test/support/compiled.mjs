// `node --import` of this file runs a script on the code as it was compiled for the tests: what the script imports from
// dist/, which may be older or be built anew just now, comes from .test-build/ts/.
import { register } from 'node:module';
import { isMainThread } from 'node:worker_threads';

const COMPILED = new URL('../../.test-build/ts/', import.meta.url).href;

if (isMainThread) register(import.meta.url);

export const resolve = (specifier, context, next) => next(specifier.replace(/^(\.\.\/)+dist\//, COMPILED), context);
