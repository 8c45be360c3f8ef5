import type { QueueStore } from "../queue/queue-store.ts";
import { storedNameOf } from "./stored-name.ts";

/** What the ledger of another queue says of an effect. */
export interface FormerEntry {
  /** The effect as that ledger names it. */
  readonly name: string;
  /** As it is stored: JSON. */
  readonly entry: string;
  /** As it is stored; "" for none. */
  readonly result: string;
}

/**
 * Looks for an effect in the ledgers of the other queues of its type: its key was used there, and is forgotten before its
 * ledger is.
 *
 * @returns one that is done before any other
 */
export async function findFormerEntry(
  others: readonly QueueStore[],
  dedupKey: string,
  effect: string,
): Promise<FormerEntry | undefined> {
  const found = await Promise.all(
    others.map(async (store) => {
      const name = await storedNameOf(store, dedupKey, effect);
      const [entry, result] = await store.client.hmget(store.keys.ledger(dedupKey), `e:${name}`, `r:${name}`);
      return entry == null ? [] : [{ name, entry: String(entry), result: String(result ?? "") }];
    }),
  );
  const entries = found.flat();
  return entries.find(({ entry }) => isDone(entry)) ?? entries[0];
}

function isDone(entry: string): boolean {
  return (JSON.parse(entry) as { readonly state: string }).state === "done";
}
