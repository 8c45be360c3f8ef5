import { z } from "zod";
import type { Feature } from "../../core/feature.ts";

declare module "../../core/job/declarations.ts" {
  interface JobDeclarations<Payload> {
    /**
     * How much of Redis's memory its ended jobs may take, in bytes: 1,000 to 10¹⁵, in all partitions of its queue together. The oldest are
     * removed first, failed ones only a day after their end. Idempotency keys and effects are remembered all the same, and jobs in doubt
     * stay.
     *
     * @default no limit but `HOLDFAST_KEEP_BYTES`, which is for all types together
     * @example 50 * 1024 * 1024
     */
    readonly keepBytes?: number;
  }
  interface ContractDeclarations<Payload> {
    readonly keepBytes: number | undefined;
  }
}

declare module "../../core/status/overview-part.ts" {
  interface FeatureTypeOverview {
    keptBytes: { completed: number; failed: number } | null;
  }
}

const MEBIBYTE = 2 ** 20;

/** @internal How much of Redis's memory ended jobs may take. */
export const budget = {
  name: "budget",
  ofJob: { keepBytes: { accepts: z.number().int().min(1_000).max(1e15) } },
  inWorker: () => import("./budget-sweep.ts"),
  findings: async (system) => await (await import("./findings.ts")).diagnoseBudgets(system),
  overview: {
    members: {
      keptBytes: z.object({ completed: z.int(), failed: z.int() }).nullable().meta({
        description:
          "How much of Redis's memory its ended jobs take, by the workers' estimate; null where nothing has a budget.",
      }),
    },
    read: async (partitions) => await (await import("./shares.ts")).readKept(partitions),
    columns: [
      ["completed MiB", ({ keptBytes }) => mebibytes(keptBytes?.completed), 0],
      ["failed MiB", ({ keptBytes }) => mebibytes(keptBytes?.failed), 0],
    ],
  },
} as const satisfies Feature;

function mebibytes(bytes: number | undefined): string | null {
  return bytes === undefined ? null : (bytes / MEBIBYTE).toFixed(1);
}
