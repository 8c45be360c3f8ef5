/** How calls are put together. */
export interface TurnBatchOptions<Item, Result> {
  /** Does the work for all of them; gives the results in their order. */
  run(items: readonly Item[]): Promise<readonly Result[]>;
  /**
   * How many at most. Few: unbounded, they grow under load until all who wait are in one call, and then either the store or
   * the process has nothing to do. Seen as a machine that was idle for a quarter of the time.
   */
  readonly itemsMax: number;
  /** How much one of them weighs, and how much they may weigh together. */
  readonly weightOf?: (item: Item) => number;
  readonly weightMax?: number;
}

interface Caller<Result> {
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes one call of many: those that come within one turn of the event loop are done together. Under load that saves
 * most of what each would cost alone, and a call that comes alone waits for nobody.
 */
export function batchByTurn<Item, Result>(
  options: TurnBatchOptions<Item, Result>,
): (item: Item) => Promise<Result> {
  const { run, itemsMax, weightOf = () => 0, weightMax = Number.POSITIVE_INFINITY } = options;
  let items: Item[] = [];
  let callers: Caller<Result>[] = [];
  let weight = 0;

  async function flush(): Promise<void> {
    const [together, waiting] = [items, callers];
    items = [];
    callers = [];
    weight = 0;
    try {
      const results = await run(together);
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
