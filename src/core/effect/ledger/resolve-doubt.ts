import { throwRedisFault } from "../../../platform/redis/redis-errors.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import type { QueueStore } from "../../bullmq/store/queue-store.ts";
import type { Resolution, ResolvedJob } from "../../job/resolution.ts";
import { encryptEffectText, findStoredName } from "./ledger-texts.ts";

export type Resolved =
  | { readonly kind: "resolved"; readonly jobId: string; readonly job: ResolvedJob }
  | { readonly kind: "not-in-doubt"; readonly state: string | null }
  /** It would be not done, and its run may still be under way. @param seenMs since its worker was seen; null: not known */
  | { readonly kind: "may-be-pending"; readonly worker: string; readonly seenMs: number | null };

const script = loadScript(import.meta.url, "resolve.lua");

/**
 * Resolves an effect that is in doubt, and lets its job go on.
 *
 * @param retentionMs how long a ledger is kept that no job uses and in which nothing is open
 */
export async function resolveDoubt(
  store: QueueStore,
  retentionMs: number,
  { dedupKey, effect }: { readonly dedupKey: string; readonly effect: string },
  { as, result = "", evidence, by, confirm = false }: Resolution,
): Promise<Resolved> {
  const { client, keys } = store;
  const name = await findStoredName(store, dedupKey, effect);
  const encrypt = (part: "result" | "evidence", text: string) =>
    encryptEffectText(store, { dedupKey, name }, part, text);
  const used = [keys.ledger(dedupKey), keys.doubts, keys.joinedJobs, keys.workersSeen];
  const texts = [encrypt("result", result), encrypt("evidence", evidence)];
  const args = [name, as, ...texts, by, retentionMs, dedupKey, keys.start, confirm ? 1 : 0];
  const reply = await script.run(client, used, args).catch(throwRedisFault);
  const [kind, detail, more] = reply as [Resolved["kind"], string | null, unknown];
  switch (kind) {
    case "resolved":
      return { kind, jobId: detail ?? "", job: more as ResolvedJob };
    case "may-be-pending":
      return { kind, worker: detail ?? "", seenMs: more == null ? null : Number(more) };
    case "not-in-doubt":
      return { kind, state: detail };
  }
}
