import { z } from "zod";
import type { Feature } from "../../core/feature.ts";
import { filterMember } from "../../core/status/filter-member.ts";

declare module "../../core/job/submit-options.ts" {
  interface FeatureOptions {
    /**
     * What people should know of the job: 1 to 200 characters. Stored in the clear, also where jobs are encrypted.
     *
     * @default none
     * @example "asked for by Ann"
     */
    readonly note?: string;
  }
}

declare module "../../core/job/job-status.ts" {
  interface FeatureStatus {
    note?: string | undefined;
  }
}

const EXPECTED = "1 to 200 characters";
const noteSchema = z.string().min(1).max(200);

/** @internal What people should know of a job. */
export const note = {
  name: "note",
  options: {
    note: noteSchema.optional().meta({
      description: "What people should know of the job. Stored in the clear, also where jobs are encrypted.",
      examples: ["asked for by Ann"],
    }),
  },
  contentOf: ({ note }) => (note === undefined ? {} : { note }),
  partOf: (_contract, _payload, { note }) =>
    note === undefined ? undefined : { travel: () => ({ extras: {}, stored: { note } }) },
  flags: {
    flags: [["--note <text>", "what people should know of the job, at most 200 characters"]],
    read(given) {
      const note = given.text("note");
      return note === undefined ? {} : { note };
    },
  },
  lines: ({ note }) => [["note", note ?? null]],
  columns: [["note", ({ note }) => note ?? null]],
  filters: {
    note: filterMember(
      noteSchema.optional().meta({ description: "A part of its note.", examples: ["Ann"] }),
      {
        matches: ({ note }, part) => note?.includes(part) === true,
        text: (part) => `whose note contains ${JSON.stringify(part)}`,
        option: {
          flags: "--note <text>",
          help: "only jobs whose note contains this text",
          expected: EXPECTED,
        },
      },
    ),
  },
  status: {
    name: "note",
    members: { note: z.string().optional().meta({ description: "What it was submitted with." }) },
    of: (_, { note }) => (typeof note === "string" ? { note } : {}),
  },
} as const satisfies Feature;
