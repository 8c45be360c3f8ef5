import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

/** Somebody used the key while the flow was being submitted. */
export const IN_VAIN =
  "the flow cannot be completed. If this request began it, its parent is cancelled; otherwise cancel it. Children that were added go on";

export function acrossQueues(found: string): HoldfastError {
  return new HoldfastError(
    "FLOW_ACROSS_QUEUES",
    `Expected the jobs of the flow in one queue without partitions; ${found}`,
  );
}

export function childElsewhere(index: number): HoldfastError {
  return acrossQueues(`the key of /children/${index} belongs to a job of another`);
}

export function childOfOtherFlow(): HoldfastError {
  const message = "Another flow still waits for the job with this child's key";
  return new HoldfastError("CHILD_OF_OTHER_FLOW", message, { retryAfterMs: 5_000 });
}

export function parentReused(): HoldfastError {
  return new HoldfastError(
    "IDEMPOTENCY_KEY_REUSED",
    "The parent's idempotency key was used before with another payload, or other children; nothing was stored.",
  );
}

export function childReused(index: number, outcome: string): HoldfastError {
  const pointer = `/children/${index}/idempotencyKey`;
  const message = `was used before with other content; ${outcome}. Use a new key for new content`;
  return new HoldfastError("IDEMPOTENCY_KEY_REUSED", `${pointer}: ${message}`, {
    issues: [{ pointer, message }],
  });
}
