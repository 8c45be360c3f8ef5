import { z } from "zod";
import type { Feature } from "../../core/feature.ts";
import { keyFault } from "../../core/job/idempotency-key.ts";
import type { WayIn } from "../../core/submit/points.ts";
import { YEAR_MS } from "../../core/submit/submission.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { malformed } from "../../platform/lib/parse-json.ts";

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

declare module "../../core/job/submit-options.ts" {
  interface FeatureReceipt {
    /** Present where this submission replaced the payload of a job that waited: `id` is that job's. */
    readonly replaces?: true;
    /**
     * The idempotency key of the later submission that replaced the payload of this one. Only where a submission is repeated, and as long as
     * the job is kept.
     */
    readonly replacedBy?: string;
  }
}

declare module "../../core/job/job-status.ts" {
  interface FeatureStatus {
    replaced?: number | undefined;
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
  load: async () => (await import("./debounced-adder.ts")).debouncing,
};

/** @internal Of several submissions in a row, only the latest runs. */
export const debounce = {
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
  flags: {
    flags: [
      ["--debounce-key <key>", "replace the job of this key that waits, if there is one"],
      ["--debounce-ms <ms>", "with it: milliseconds that must pass without another submission"],
      [
        "--debounce-max-ms <ms>",
        "with both: milliseconds after the first submission when it may run at last",
      ],
    ],
    read(given) {
      const [key, ms, maxMs] = [
        given.text("debounce-key"),
        given.number("debounce-ms"),
        given.number("debounce-max-ms"),
      ];
      if (key === undefined && ms === undefined && maxMs === undefined) return {};
      if (key === undefined || ms === undefined)
        throw new HoldfastError("USAGE", "expected both of --debounce-key and --debounce-ms");
      return { debounce: { key, ms, ...(maxMs !== undefined && { maxMs }) } };
    },
  },
  receipt: {
    replaces: z
      .literal(true)
      .optional()
      .meta({ description: "Only where it replaced the payload of a job that waited, whose id this is." }),
    replacedBy: z
      .string()
      .optional()
      .meta({
        description:
          "Only of a repeated submission whose payload was replaced, while its job is kept: the idempotency key of the submission that replaced it.",
        examples: ["search-index-43"],
      }),
  },
  receiptText({ id, replaces, replacedBy }) {
    if (replaces) return `accepted ${id}, in place of an earlier submission`;
    return replacedBy === undefined ? undefined : `duplicate of ${id}, replaced by ${replacedBy}`;
  },
  // Theirs was the same debounce key.
  lines: ({ replaced }) => [
    [
      "replaced",
      replaced === undefined ? null : `${replaced} earlier ${replaced === 1 ? "submission" : "submissions"}`,
    ],
  ],
  status: {
    name: "debounce",
    members: {
      replaced: z.int().optional().meta({
        description:
          "Only where any: how many earlier submissions were replaced. The job has the payload, options and idempotency key of the latest.",
      }),
    },
    of: (read) => (typeof read === "number" ? { replaced: read } : {}),
  },
} as const satisfies Feature;

function excluded(name: string) {
  const message = `expected either options.debounce or options.${name}, got both`;
  return malformed([{ pointer: `/options/${name}`, message }]);
}
