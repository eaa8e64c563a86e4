import type { BackendName } from '../backends/backend.js';
import { FlavrError } from '../errors.js';
import type { BuiltModel } from '../model/config.js';
import { type EngineHeader, readEngine, readEngineHeader } from './file.js';

/** What the caller of `open` asked for, as far as an engine fixes it. */
export interface BuiltOptions {
  readonly width: number;
  readonly height: number;
  readonly batch?: number | undefined;
  readonly precision?: string | undefined;
  readonly lowering?: string | undefined;
  readonly backend?: 'auto' | BackendName | undefined;
}

/** The backend that runs engines with this header. */
const backendOf = ({ family }: EngineHeader): BackendName => (family === 'tensorrt-rtx' ? 'tensorrt-rtx' : 'tensorrt');

function check(path: string, header: EngineHeader, options: BuiltOptions): void {
  const wanted = options.backend === 'auto' ? undefined : options.backend;
  const pairs: [string, unknown, unknown][] = [
    ['frames of', `${options.width}x${options.height}`, `${header.width}x${header.height}`],
    ['batch', options.batch, header.batch],
    ['precision', options.precision, header.precision],
    ['lowering', options.lowering, header.lowering],
    ['backend', wanted, backendOf(header)],
  ];
  for (const [what, asked, built] of pairs) {
    if (asked === undefined || asked === built) continue;
    throw new FlavrError(
      'ENGINE_INCOMPATIBLE',
      `${path} was built for ${what} ${built}; asked for: ${asked}. Build another with "flavr build", or leave the option out.`,
    );
  }
}

/**
 * Reads an engine file as what `open` runs, with the backend and the batch that it was built for.
 * @throws FlavrError `MODEL_NOT_FOUND`; `ENGINE_INCOMPATIBLE` for a damaged file, or naming what was asked and what was built.
 */
export async function builtModel(
  path: string,
  options: BuiltOptions,
): Promise<{ readonly model: BuiltModel; readonly backend: BackendName; readonly batch: number }> {
  // The header first: a wrong file is refused before a hundred megabytes are read.
  check(path, await readEngineHeader(path), options);
  const engine = await readEngine(path);
  const { inputs, factor, batch, model } = engine.header;
  const built: BuiltModel = { kind: 'engine', name: model.name, inputs, factor, engine };
  return { model: built, backend: backendOf(engine.header), batch };
}
