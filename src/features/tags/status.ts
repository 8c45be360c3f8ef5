import { z } from "zod";
import type { StatusPart } from "../../core/status/read-status.ts";

declare module "../../core/job/job-status.ts" {
  interface FeatureStatus {
    tags: string[];
  }
}

export const tagsStatus = {
  name: "tags",
  members: { tags: z.array(z.string()).meta({ description: "What it was submitted with." }) },
  of: (_, { tags }) => ({ tags: Array.isArray(tags) ? tags.map(String) : [] }),
} as const satisfies StatusPart;
