import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { oneOf } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

export type Deleted = "deleted" | "missing" | "in-doubt" | "not-ended" | "changed";

export interface Deletion {
  /** Only if it ended before this, in milliseconds since 1970. @default whenever */
  readonly endedBefore?: number | undefined;
  /** Only if it ended then, in milliseconds since 1970. @default whenever */
  readonly endedAt?: number | undefined;
  /** Only if it ended so. @default either */
  readonly state?: "completed" | "failed" | undefined;
  /** Who, for an entry in the audit log. @default no entry */
  readonly by?: string | undefined;
  /** Why, as the audit log stores it. @default no reason */
  readonly evidence?: string | undefined;
}

const script = loadScript(
  import.meta.url,
  "delete-job.lua",
  oneOf("deleted", "missing", "in-doubt", "not-ended", "changed"),
);

/** Deletes a job that has ended and is not in doubt, as the retention would: its idempotency key and its ledger stay. */
export async function deleteJob(
  { client, keys }: QueueStore,
  id: string,
  { endedBefore, endedAt, state, by, evidence }: Deletion = {},
): Promise<Deleted> {
  const only = [endedBefore, endedAt, state].map((wanted) => wanted ?? "");
  const args = [keys.start, id, keys.ledgerStart, ...only, by ?? "", evidence ?? ""];
  return await script.run(client, [keys.audit, keys.joinedJobs], args);
}
