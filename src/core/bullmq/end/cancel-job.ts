import { oneOf } from "../../../platform/redis/reply-shape.ts";
import { loadScript } from "../../../platform/redis/script.ts";
import { formatFailure } from "../../job/failure.ts";
import { type SeenJob, seenArgument } from "../as-seen.ts";
import type { QueueStore } from "../store/queue-store.ts";

/** Who does something to a job, and why, as scripts record it. */
export interface StoredAct {
  readonly by: string;
  /** Perhaps encrypted; absent where no reason was given. */
  readonly evidence?: string | undefined;
  /** The act on many jobs that it is part of. */
  readonly actId?: string | undefined;
}

export type CancelOutcome = "cancelled" | "cancelling" | "ended" | "missing" | "changed";

const script = loadScript(
  import.meta.url,
  "cancel.lua",
  oneOf("cancelled", "cancelling", "ended", "missing", "changed"),
);
const CANCELLED = formatFailure({ code: "CANCELLED", message: "Cancelled by an operator", retryable: false });

/**
 * Ends a waiting job, and notifies the worker of an active one.
 *
 * @param act who does it, and why; none where it repeats what somebody did
 * @param seen what they have seen; otherwise it is `changed`, and nothing happens
 */
export async function cancelJob(
  { client, keys }: QueueStore,
  jobId: string,
  act?: StoredAct,
  seen?: SeenJob,
): Promise<CancelOutcome> {
  const recorded = act === undefined ? "" : JSON.stringify(act);
  const args = [keys.start, jobId, CANCELLED, keys.cancelChannel, recorded, seenArgument(seen)];
  return await script.run(client, [keys.job(jobId)], args);
}
