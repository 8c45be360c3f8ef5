import { jobPlace } from "../store/places.ts";
import type { Sealer } from "../store/sealer.ts";

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
 * @throws HoldfastError `DECRYPTION_FAILED`
 */
export function openEnvelope(sealer: Sealer, jobId: string, data: unknown): JobEnvelope {
  return sealer.openValue(data, jobPlace(jobId, "data")) as JobEnvelope;
}
