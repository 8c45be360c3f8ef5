import { z } from "zod";
import type { Feature } from "../../core/feature.ts";
import { jobFilterMember } from "../../core/status/filter-member.ts";

declare module "../../core/job/submit-options.ts" {
  interface FeatureOptions {
    /**
     * What people find the job by: at most 10, each once and of 1 to 64 letters, digits and `. _ : @ / -`, the first a letter or digit.
     * Stored in the clear, also where jobs are encrypted.
     *
     * @default none
     * @example ["customer:42", "import-2026-12"]
     */
    readonly tags?: readonly string[];
  }
}

declare module "../../core/job/job-status.ts" {
  interface FeatureStatus {
    tags: string[];
  }
}

const TAGS_MAX = 10;
const TAG = /^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}$/;

/** What people find jobs by, e.g. `customer:42`. */
const tagSchema = z
  .string()
  .regex(TAG, "expected 1 to 64 letters, digits and . _ : @ / -, the first a letter or digit");

const tagsSchema = z
  .array(tagSchema)
  .max(TAGS_MAX)
  .refine((tags) => new Set(tags).size === tags.length, "expected each tag once");

/** @internal What people find jobs by. */
export const tags = {
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
  flags: {
    flags: [["--tag <tag...>", "what people find the job by, e.g. customer:42; at most 10"]],
    read(given) {
      const tags = given.texts("tag");
      return tags === undefined ? {} : { tags };
    },
  },
  lines: ({ tags }) => [["tags", tags.join(", ") || null]],
  columns: [["tags", ({ tags }) => tags.join(" ")]],
  filters: {
    tag: jobFilterMember(
      tagSchema.optional().meta({ description: "Submitted with this tag.", examples: ["customer:42"] }),
      {
        matches: ({ tags }, tag) => tags.includes(tag),
        text: (tag) => `with the tag ${tag}`,
        option: {
          flags: "--tag <tag>",
          help: "only jobs submitted with this tag",
          expected: "1 to 64 letters, digits and . _ : @ / -, the first a letter or digit",
          label: "Tag",
        },
        index: (tag) => `tag:${tag}`,
      },
    ),
  },
  status: {
    name: "tags",
    members: { tags: z.array(z.string()).meta({ description: "What it was submitted with." }) },
    of: (_, { tags }) => ({ tags: Array.isArray(tags) ? tags.map(String) : [] }),
  },
} as const satisfies Feature;
