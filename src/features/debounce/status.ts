import { z } from "zod";
import type { StatusPart } from "../../core/status/read-status.ts";

declare module "../../core/job/job-status.ts" {
  interface FeatureStatus {
    replaced?: number | undefined;
  }
}

export const debounceStatus = {
  name: "debounce",
  members: {
    replaced: z.int().optional().meta({
      description:
        "Only where any: how many earlier submissions were replaced. The job has the payload, options and idempotency key of the latest.",
    }),
  },
  of: (read) => (typeof read === "number" ? { replaced: read } : {}),
} as const satisfies StatusPart;
