#!/usr/bin/env node
import { buildAddon } from './build-native.mjs';
// What prebuildify runs in place of node-gyp, in a folder of its own per architecture: cmake-js with zig's compiler.
import { ensureZig } from './fetch-zig.mjs';

const TRIPLES = { x64: 'x86_64-linux-gnu.2.28', arm64: 'aarch64-linux-gnu.2.28' };
const arch = process.env.PREBUILD_ARCH;
buildAddon(['--out', 'build', '--arch', arch], ensureZig(TRIPLES[arch]));
