import { randomUUID } from "node:crypto";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { encryptEffectText } from "../../core/effect/ledger/ledger-texts.ts";
import { loadScript } from "../../platform/redis/script.ts";

const script = loadScript(import.meta.url, "accept-loss.lua");

/**
 * Accepts that Redis has lost data of a queue: a new epoch begins.
 *
 * @returns since when it was known, in milliseconds since 1970; undefined where nothing was lost
 */
export async function acceptLoss(
  store: QueueStore,
  { evidence, by }: { readonly evidence: string; readonly by: string },
): Promise<number | undefined> {
  const { client, keys } = store;
  const encrypted = encryptEffectText(store, { dedupKey: "", name: "" }, "evidence", evidence);
  const since = await script.run(client, [keys.epoch, keys.audit], [randomUUID(), encrypted, by]);
  return since === null ? undefined : Number(since);
}
