import { z } from "zod";
import type { Feature } from "../../core/feature.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import type { WayIn } from "../../core/submit/points.ts";
import { YEAR_MS } from "../../core/submit/submission.ts";
import { malformed } from "../../platform/lib/parse-json.ts";
import { createDebouncedAdder, withReplacer } from "./debounced-adder.ts";

/** Of several submissions in a row, only the latest runs. */
export interface Debounce {
  /** Names what is submitted again and again, such as a document: 1 to 255 characters. It belongs to the job's type; only a hash is stored. */
  readonly key: string;
  /** Milliseconds that must pass after a submission without another one of its key, at most a year. */
  readonly ms: number;
  /** Milliseconds after the first submission at which the job may run at the latest, at least `ms`. @default no limit */
  readonly maxMs?: number;
}

declare module "../../core/job/submit-options.ts" {
  interface FeatureOptions {
    /**
     * While a job of the same type and debounce key waits that no worker has begun, this submission replaces its payload and options, and
     * makes it wait anew. Excludes `delayMs` and `runAt`; neither in flows nor in queues with partitions.
     *
     * @default each submission makes a job
     * @example { key: "document-7", ms: 5_000, maxMs: 60_000 }
     */
    readonly debounce?: Debounce;
  }
}

const ms = z.number().int().min(1).max(YEAR_MS);

const debounceSchema = z
  .strictObject({
    key: z
      .string()
      .superRefine((key, { addIssue }) => {
        const message = keyFault(key);
        if (message !== undefined) addIssue({ code: "custom", message });
      })
      .meta({
        description:
          "Names what is submitted again and again, 1 to 255 characters. It belongs to the job's type; only a hash is stored.",
      }),
    ms: ms.meta({
      description:
        "Milliseconds that must pass without another submission of this key before the job may run, at most a year.",
    }),
    maxMs: ms.optional().meta({
      description:
        "The job may run so many milliseconds after the first submission, whatever follows: at least `ms`. By default without limit.",
    }),
  })
  .refine(({ ms, maxMs }) => maxMs === undefined || maxMs >= ms, {
    path: ["maxMs"],
    message: "expected at least ms",
  });

const wayIn: WayIn = {
  option: "debounce",
  createAdder: createDebouncedAdder,
  onRepeat: withReplacer,
};

/** Of several submissions in a row, only the latest runs. */
export const debounce: Feature = {
  name: "debounce",
  options: {
    debounce: debounceSchema.optional().meta({
      description:
        "While a job of the same type and debounce key waits that no worker has begun, this submission replaces its payload and options, and makes it wait anew. Excludes delayMs and runAt.",
      examples: [{ key: "document-7", ms: 5_000, maxMs: 60_000 }],
    }),
  },
  contentOf: ({ debounce }) => (debounce === undefined ? {} : { debounce }),
  partOf({ type }, _payload, { debounce, delayMs, runAt }) {
    if (debounce === undefined) return undefined;
    if (delayMs !== undefined || runAt !== undefined)
      throw excluded(runAt === undefined ? "delayMs" : "runAt");
    const { key, ms, maxMs = "-" } = debounce;
    return {
      delayMs: ms,
      wayIn,
      // 128 bits: a collision would lose a job.
      travel: (hash) => ({ extras: { debounce: `${hash("debounce", `${type}\0${key}`, 32)} ${maxMs}` } }),
    };
  },
};

function excluded(name: string) {
  const message = `expected either options.debounce or options.${name}, got both`;
  return malformed([{ pointer: `/options/${name}`, message }]);
}
