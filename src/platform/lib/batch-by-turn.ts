export interface TurnBatchOptions<Item, Result> {
  /** Does the work for all items; returns the results in their order. */
  run(items: readonly Item[]): Promise<readonly Result[]>;
  /** Few. Unbounded batches grow under load until all callers are in one, and then Redis and the process take turns idling. */
  readonly itemsMax: number;
  /** How much an item weighs, and how much a batch may weigh. */
  readonly weightOf?: (item: Item) => number;
  readonly weightMax?: number;
}

interface Caller<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Batches calls that come within one turn of the event loop. Under load that saves most of what each would cost alone, and a single
 * call waits for no other.
 */
export function batchByTurn<Item, Result>(
  options: TurnBatchOptions<Item, Result>,
): (item: Item) => Promise<Result> {
  const { run, itemsMax, weightOf = () => 0, weightMax = Number.POSITIVE_INFINITY } = options;
  let items: Item[] = [];
  let callers: Caller<Result>[] = [];
  let weight = 0;

  async function flush(): Promise<void> {
    const [batch, waiting] = [items, callers];
    items = [];
    callers = [];
    weight = 0;
    try {
      const results = await run(batch);
      for (let index = 0; index < waiting.length; index++) waiting[index]?.resolve(results[index] as Result);
    } catch (error) {
      for (const { reject } of waiting) reject(error);
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      const added = weightOf(item);
      if (items.length === itemsMax || (items.length > 0 && weight + added > weightMax)) void flush();
      if (items.length === 0) setImmediate(() => items.length > 0 && void flush());
      items.push(item);
      callers.push({ resolve, reject });
      weight += added;
    });
}
