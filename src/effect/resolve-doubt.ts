import type { Resolution, ResolvedJob } from "../job/resolution.ts";
import { recordActLua, retryFailedJobLua } from "../queue/includes.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { nowLua } from "../redis/includes.ts";
import { redisFault } from "../redis/redis-errors.ts";
import { loadScript } from "../redis/script.ts";
import { entriesLua, ledgerLua } from "./includes.ts";
import { encryptEffectText, findStoredName } from "./ledger-texts.ts";

export type Resolved =
  | { readonly kind: "resolved"; readonly jobId: string; readonly job: ResolvedJob }
  | { readonly kind: "not-in-doubt"; readonly state: string | null };

const script = loadScript(
  import.meta.url,
  "resolve.lua",
  nowLua,
  retryFailedJobLua,
  ledgerLua,
  entriesLua,
  recordActLua,
);

/**
 * Resolves an effect that is in doubt, and lets its job go on.
 *
 * @param retentionMs how long a ledger is kept that no job uses and in which nothing is open
 */
export async function resolveDoubt(
  store: QueueStore,
  retentionMs: number,
  { dedupKey, effect }: { readonly dedupKey: string; readonly effect: string },
  { as, result = "", evidence, by }: Resolution,
): Promise<Resolved> {
  const { client, keys } = store;
  const name = await findStoredName(store, dedupKey, effect);
  const encrypt = (part: "result" | "evidence", text: string) =>
    encryptEffectText(store, { dedupKey, name }, part, text);
  const used = [keys.ledger(dedupKey), keys.doubts, keys.joinedJobs];
  const texts = [encrypt("result", result), encrypt("evidence", evidence)];
  const args = [name, as, ...texts, by, retentionMs, dedupKey, keys.start];
  const reply = await script.run(client, used, args).catch((error: unknown) => {
    throw redisFault(error);
  });
  const [kind, detail, job] = reply as [string, string | null, ResolvedJob];
  return kind === "resolved" ? { kind, jobId: detail ?? "", job } : { kind: "not-in-doubt", state: detail };
}
