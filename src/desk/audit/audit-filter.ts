import { z } from "zod";
import { defineFilter, option } from "../filter.ts";
import { INSTANT_EXPECTED } from "../jobs/instant.ts";
import type { instantInBody, instantInQuery } from "../jobs/instant-schemas.ts";

const name = (description: string, example?: string) =>
  z
    .string()
    .max(200)
    .optional()
    .meta({ description, ...(example !== undefined && { examples: [example] }) });

const kinds = {
  jobId: {
    schema: name("Only what was done to this job."),
    option: option("--job <id>", "only what was done to this job", "a job's id"),
  },
  queue: {
    schema: name("Only what was done in this queue; not with jobId."),
    option: option("--queue <name>", "only what was done in this queue", "the name of a queue"),
  },
  actId: {
    schema: name("Only the entries of this act, each in its own line."),
    option: option("--act <id>", "only what was part of this act, each in its own line", "an act's id"),
  },
  by: {
    schema: name("Only what this one did: an API key, its sessions included.", "ops-night"),
    option: option(
      "--by <name>",
      "only what this one did: an API key, or as the list says it",
      "at most 200 characters",
      "By",
    ),
  },
};

const instantsBy = (instant: typeof instantInBody | typeof instantInQuery) => ({
  from: {
    schema: instant("Only from then on."),
    option: option(
      "--from <when>",
      "only from then on: 2026-12-01T09:00:00Z, 2026-12-01 or 12h",
      INSTANT_EXPECTED,
      "From",
    ),
  },
  to: {
    schema: instant("Only before then."),
    option: option("--to <when>", "only before then", INSTANT_EXPECTED, "Before"),
  },
});

/** Which entries of the audit log. What is absent does not count. */
export const auditFilter = defineFilter(kinds, instantsBy);
export type AuditFilter = Readonly<z.output<typeof auditFilter.schema>>;
