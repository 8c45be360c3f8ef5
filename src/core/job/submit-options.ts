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

/** What the producer of a job gets back. */
export interface Receipt {
  readonly id: string;
  readonly type: string;
  readonly idempotencyKey: string;
  /** True when the key was used before with the same content: `id` is then the first job's. */
  readonly duplicate: boolean;
  /** Present where this submission replaced the payload of a job that waited: `id` is that job's. */
  readonly replaces?: true;
  /**
   * The idempotency key of the later submission that replaced the payload of this one. Only where a submission is repeated, and as long as
   * the job is kept.
   */
  readonly replacedBy?: string;
}
