import { z } from "zod";
import type { Feature } from "../../core/feature.ts";

/** How long ended jobs and their results can be read; what is reached first counts. */
export interface Kept {
  /** Milliseconds after their end, 0 to a year. */
  readonly ageMs?: number;
  /** How many of the type stay, the latest of each partition of its queue: 0 to 10,000,000. */
  readonly count?: number;
}

/** By state. A state without an entry is kept as all of the queue are. */
export interface JobRetention {
  readonly completed?: Kept;
  readonly failed?: Kept;
}

declare module "../../core/job/declarations.ts" {
  interface JobDeclarations<Payload> {
    /**
     * How long its ended jobs and their results can be read, if shorter than `HOLDFAST_RETENTION_MS`, `HOLDFAST_KEEP_COMPLETED` and
     * `HOLDFAST_KEEP_FAILED` say. Idempotency keys and effects are remembered all the same, and jobs in doubt stay.
     *
     * @default as long as all jobs of its queue
     * @example { completed: { ageMs: 60 * 60_000 }, failed: { count: 1_000 } }
     */
    readonly retention?: JobRetention;
  }
  interface ContractDeclarations<Payload> {
    readonly retention: JobRetention;
  }
}

const YEAR_MS = 366 * 24 * 60 * 60 * 1000;
const COUNT_MAX = 10_000_000;

const keptSchema = z
  .strictObject({
    ageMs: z.number().int().min(0).max(YEAR_MS).optional(),
    count: z.number().int().min(0).max(COUNT_MAX).optional(),
  })
  .refine(({ ageMs, count }) => ageMs !== undefined || count !== undefined, "expected ageMs, count or both");

/** @internal How long ended jobs are kept. */
export const retention: Feature = {
  name: "retention",
  ofJob: {
    retention: {
      accepts: z.strictObject({ completed: keptSchema.optional(), failed: keptSchema.optional() }),
      otherwise: {},
    },
  },
  inWorker: () => import("./in-worker.ts"),
};
