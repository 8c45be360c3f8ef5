import type { RedisAccess } from "../redis/connect.ts";
import { ledgerKey } from "../redis/keys.ts";
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
  access: RedisAccess,
  prefix: string,
  queues: readonly string[],
  dedupKey: string,
  effect: string,
): Promise<FormerEntry | undefined> {
  const found = await Promise.all(
    queues.map(async (queue) => {
      const ledger = ledgerKey(prefix, queue, dedupKey);
      const name = await storedNameOf(access, ledger, dedupKey, effect);
      const [entry, result] = await access.client.hmget(ledger, `e:${name}`, `r:${name}`);
      return entry == null ? [] : [{ name, entry: String(entry), result: String(result ?? "") }];
    }),
  );
  const entries = found.flat();
  return entries.find(({ entry }) => isDone(entry)) ?? entries[0];
}

function isDone(entry: string): boolean {
  return (JSON.parse(entry) as { readonly state: string }).state === "done";
}
