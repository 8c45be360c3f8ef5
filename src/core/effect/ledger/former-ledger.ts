import { keyMissing } from "../../../platform/redis/encryption/codec.ts";
import type { QueueStore } from "../../bullmq/store/queue-store.ts";
import type { FormerEntry } from "./ledger.ts";
import { findStoredName } from "./ledger-texts.ts";

/**
 * Looks for an effect in the ledgers of the other queues of its type: the key may have been used there, and a key is
 * forgotten before its ledger.
 *
 * @returns one that is done before any other
 */
export async function findFormerEntry(
  others: readonly QueueStore[],
  dedupKey: string,
  effect: string,
): Promise<FormerEntry | undefined> {
  const found = await Promise.all(others.map((store) => findEntry(store, dedupKey, effect)));
  const entries = found.flat();
  return entries.find(({ entry }) => isDone(entry)) ?? entries[0];
}

async function findEntry(store: QueueStore, dedupKey: string, effect: string): Promise<FormerEntry[]> {
  const name = await findStoredName(store, dedupKey, effect);
  const fields = [`e:${name}`, `r:${name}`, "keys"] as const;
  const [entry, result, keys] = await store.client.hmget(store.keys.ledger(dedupKey), ...fields);
  const missing = effect.includes("/") && missingKey(store, String(keys ?? ""));
  if (missing) throw keyMissing(missing);
  return entry == null ? [] : [{ name, entry: String(entry), result: String(result ?? "") }];
}

/** An index that this process cannot find may be there under a name of that key. */
function missingKey({ codec }: QueueStore, keys: string): string | undefined {
  return keys.split(" ").find((id) => id !== "" && !codec.keyIds.includes(id));
}

function isDone(entry: string): boolean {
  return (JSON.parse(entry) as { readonly state: string }).state === "done";
}
