/** What BullMQ keeps as a job's `data`. */
export interface JobEnvelope {
  /** The client's idempotency key. */
  readonly key: string;
  /** The payload as it was submitted. */
  readonly payload: unknown;
}
