/** How calls are put together. */
export interface TurnBatchOptions<Item, Result> {
  /** Does the work for all of them; gives the results in their order. */
  run(items: readonly Item[]): Promise<readonly Result[]>;
  /** How many at most. */
  readonly itemsMax: number;
  /** How much one of them weighs, and how much they may weigh together. */
  readonly weightOf?: (item: Item) => number;
  readonly weightMax?: number;
}

interface Call<Item, Result> {
  readonly item: Item;
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
  let waiting: Call<Item, Result>[] = [];
  let weight = 0;

  async function flush(): Promise<void> {
    const calls = waiting;
    waiting = [];
    weight = 0;
    try {
      const results = await run(calls.map(({ item }) => item));
      for (const [index, { resolve }] of calls.entries()) resolve(results[index] as Result);
    } catch (error) {
      for (const { reject } of calls) reject(error);
    }
  }

  return (item) =>
    new Promise((resolve, reject) => {
      const added = weightOf(item);
      if (waiting.length === itemsMax || (waiting.length > 0 && weight + added > weightMax)) void flush();
      if (waiting.length === 0) setImmediate(() => waiting.length > 0 && void flush());
      waiting.push({ item, resolve, reject });
      weight += added;
    });
}
