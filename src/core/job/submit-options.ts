/** Options that features add: each declares its own in its folder. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface FeatureOptions {}

export interface SubmitOptions extends FeatureOptions {
  /** What this request means, 1 to 255 characters; the same key of the same type never makes a second job. */
  readonly idempotencyKey: string;
  /** Milliseconds until the job may run, at most a year. Excludes `runAt`. */
  readonly delayMs?: number;
  /** The instant from which the job may run, at most a year ahead. Excludes `delayMs`. */
  readonly runAt?: Date;
  /** If no worker has begun the job by then, it ends `failed` with `EXPIRED`. Excludes `startWithinMs`. @default what the contract declares */
  readonly startBy?: Date;
  /** The same as milliseconds from when the job may run, at most a year. Excludes `startBy`. */
  readonly startWithinMs?: number;
  /** 0: none, runs first. Otherwise 1 to 2,097,151, the lower the sooner. */
  readonly priority?: number;
}

/** The part of a contract that a producer needs. */
export interface ProducibleJob<PayloadIn> {
  readonly type: string;
  readonly payload: { readonly "~standard": { readonly types?: { readonly input: PayloadIn } | undefined } };
}

/** What features add to receipts: each declares its own in its folder. */
// biome-ignore lint/suspicious/noEmptyInterface: features add members
export interface FeatureReceipt {}

/** What the producer of a job gets back. */
export interface Receipt extends FeatureReceipt {
  readonly id: string;
  readonly type: string;
  readonly idempotencyKey: string;
  /** True when the key was used before with the same content: `id` is then the first job's. */
  readonly duplicate: boolean;
}
