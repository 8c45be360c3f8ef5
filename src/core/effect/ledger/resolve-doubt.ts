import { throwRedisFault } from "../../../platform/redis/redis-errors.ts";
import { begins, either, integer, oneOf, orNull, text, tuple } from "../../../platform/redis/reply-shape.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import type { QueueStore } from "../../bullmq/store/queue-store.ts";
import type { Resolution, ResolvedJob } from "../../job/resolution.ts";
import { encryptEffectText, findStoredName } from "./ledger-texts.ts";

export type Resolved =
  | { readonly kind: "resolved"; readonly jobId: string; readonly job: ResolvedJob }
  | { readonly kind: "not-in-doubt"; readonly state: string | null }
  /** It is another doubt than the one that was seen. */
  | { readonly kind: "changed" }
  /** It would be not done, and its run has ended since it was seen. */
  | { readonly kind: "over" }
  /** It would be not done, and its run has reported that it was done, when it was in doubt already. */
  | { readonly kind: "said-done" }
  /** It would be not done, and its run may still be under way. @param seenMs since its worker was seen; null: not known */
  | { readonly kind: "may-be-pending"; readonly worker: string; readonly seenMs: number | null };

const fates = ["gone", "completed", "running", "cancelled", "in-doubt", "retried", "next-call"] as const;
const replyShape = either(
  either(
    tuple(oneOf("resolved"), orNull(text), oneOf<ResolvedJob>(...fates)),
    begins([oneOf("may-be-pending"), orNull(text)], orNull(integer)),
  ),
  either(tuple(oneOf("not-in-doubt"), orNull(text)), tuple(oneOf("said-done", "changed", "over"))),
);
const script = loadScript(import.meta.url, "resolve.lua", replyShape);

/**
 * Resolves an effect that is in doubt, and lets its job go on.
 *
 * @param retentionMs how long a ledger is kept that no job uses and in which nothing is open
 */
export async function resolveDoubt(
  store: QueueStore,
  retentionMs: number,
  { dedupKey, effect }: { readonly dedupKey: string; readonly effect: string },
  { as, result = "", evidence, by, confirm = false, since, mayStillRun = false, actId = "" }: Resolution,
): Promise<Resolved> {
  const { client, keys } = store;
  const name = await findStoredName(store, dedupKey, effect);
  const encrypt = (part: "result" | "evidence", text: string) =>
    encryptEffectText(store, { dedupKey, name }, part, text);
  const used = [keys.ledger(dedupKey), keys.doubts, keys.joinedJobs, keys.workersSeen];
  const texts = [encrypt("result", result), encrypt("evidence", evidence)];
  const args = [name, as, ...texts, by, retentionMs, dedupKey, keys.start, confirm ? 1 : 0];
  const seen = since === undefined ? "" : Date.parse(since);
  const reply = await script
    .run(client, used, [...args, seen, mayStillRun ? 1 : 0, actId])
    .catch(throwRedisFault);
  switch (reply[0]) {
    case "resolved":
      return { kind: reply[0], jobId: reply[1] ?? "", job: reply[2] };
    case "may-be-pending":
      return { kind: reply[0], worker: reply[1] ?? "", seenMs: reply[2] ?? null };
    case "said-done":
    case "changed":
    case "over":
      return { kind: reply[0] };
    case "not-in-doubt":
      return { kind: reply[0], state: reply[1] };
  }
}
