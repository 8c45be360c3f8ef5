import { HoldfastError } from "../errors/holdfast-error.ts";
import type { QueueStore } from "./queue-store.ts";

/** What BullMQ keeps as a job's `data`, perhaps sealed. */
export interface JobEnvelope {
  /** The client's idempotency key. */
  readonly key: string;
  /** The payload as it was submitted. */
  readonly payload: unknown;
}

/**
 * Reads a job's `data`.
 *
 * @throws HoldfastError `DECRYPTION_FAILED`, `INVALID_PAYLOAD` for what no submission of ours can have left
 */
export function openEnvelope(store: QueueStore, jobId: string, data: unknown): JobEnvelope {
  const envelope = store.decryptValue(jobId, "data", data);
  if (isEnvelope(envelope)) return envelope;
  throw new HoldfastError(
    "INVALID_PAYLOAD",
    "What is stored of this job's submission is not what Holdfast writes",
  );
}

function isEnvelope(value: unknown): value is JobEnvelope {
  return typeof value === "object" && value !== null && "key" in value && typeof value.key === "string";
}
