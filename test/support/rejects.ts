import * as assert from 'uvu/assert';
import type { FlavrErrorCode } from '../../ts/errors.js';

/** Asserts that a promise rejects with this code and a message that fits. */
export async function rejects(what: Promise<unknown>, code: FlavrErrorCode, pattern = /./): Promise<void> {
  try {
    await what;
  } catch (error) {
    assert.is((error as { code?: string }).code, code, String(error));
    assert.match((error as Error).message, pattern);
    return;
  }
  assert.unreachable(`did not reject with ${code}`);
}

/** What a promise rejects with. */
export async function failure(what: Promise<unknown>): Promise<Error & { code?: string }> {
  try {
    await what;
  } catch (error) {
    return error as Error;
  }
  throw new Error('did not reject');
}
