import type { Feature } from "../../core/feature.ts";
import { tagsSchema } from "./tags.ts";

/** What people find jobs by. */
export const tags: Feature = {
  name: "tags",
  options: {
    tags: tagsSchema.optional().meta({
      description:
        "What people find the job by, at most 10, each once. Stored in the clear, also where jobs are encrypted.",
      examples: [["customer:42"]],
    }),
  },
  contentOf: ({ tags = [] }) => (tags.length > 0 ? { tags: [...tags].sort() } : {}),
  partOf: (_contract, _payload, { tags = [] }) =>
    tags.length > 0 ? { travel: () => ({ extras: { tags }, stored: { tags } }) } : undefined,
  inWorker: () => import("./in-worker.ts"),
};
