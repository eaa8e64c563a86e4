/**
 * The same items, with the next `depth` of them already being made while the consumer is busy. Nothing is asked for before
 * the first item is.
 */
export async function* readAhead<T>(items: AsyncIterable<T>, depth: number): AsyncGenerator<T, void, undefined> {
  const iterator = items[Symbol.asyncIterator]();
  const pending: Promise<IteratorResult<T>>[] = [];
  const request = () => {
    const next = iterator.next();
    // Its failure is met when its turn comes, which may be late or never.
    next.catch(() => {});
    pending.push(next);
  };
  try {
    for (;;) {
      while (pending.length <= depth) request();
      const result = await pending.shift()!;
      if (result.done) return;
      yield result.value;
    }
  } finally {
    await iterator.return?.();
  }
}
