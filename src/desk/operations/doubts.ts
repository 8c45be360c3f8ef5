import { z } from "zod";
import { resolvedJobs } from "../../core/job/resolution.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { askProbesSchema, probesAskedSchema } from "../doubts/ask-probe.ts";
import { doubtFilter } from "../doubts/doubt-filter.ts";
import { doubtGroupsSchema } from "../doubts/doubt-groups.ts";
import { type Doubt, doubtSchema } from "../doubts/doubts.ts";
import { confirmSchema, manyDoubtsSchema, manyResolvedSchema } from "../doubts/doubts-many.ts";
import { expectDoubt } from "./act-inputs.ts";
import { change, read } from "./operation.ts";

const PAGE_MAX = 200;

const querySchema = z.strictObject({
  ...doubtFilter.query,
  limit: z.coerce.number().int().min(1).max(PAGE_MAX).default(50),
  offset: z.coerce.number().int().min(0).max(100_000).default(0),
});
const pageSchema = z.object({ doubts: z.array(doubtSchema) });

const resolutionSchema = z
  .strictObject({
    as: z.enum(["done", "not-done"]),
    evidence: z.string().min(1).max(2_000).meta({ description: "How you know. Kept in the audit log." }),
    result: z
      .unknown()
      .optional()
      .meta({ description: "What the effect would have returned; only with done." }),
    confirm: confirmSchema,
    expect: expectDoubt,
  })
  .meta({ examples: [{ as: "done", evidence: "Seen in the recipient's mailbox" }] });

const resolvedSchema = z.object({
  id: z.string(),
  effect: z.string(),
  as: z.enum(["done", "not-done"]),
  job: z.enum(resolvedJobs).meta({
    description:
      "What happens to the job. retried: it continues; running: it has not ended, and uses the answer; in-doubt: another of its effects is in doubt, and it continues once that is resolved; cancelled: it stays cancelled; completed: it had completed; gone: the retention has removed it, so nothing continues.",
  }),
});

export const doubtOperations = {
  doubts: read({
    id: "listDoubts",
    path: "/doubts",
    summary: "List effects in doubt",
    description: "Side effects that may or may not have happened, oldest first.",
    input: querySchema,
    answer: pageSchema.describe("Oldest first."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    returns: "doubts",
    run: async (operator, { input: { offset, limit, ...filter } }) => ({
      doubts: (await operator.doubts(offset, limit, filter)).map(shown),
    }),
  }),
  doubtGroups: read({
    id: "groupDoubts",
    path: "/doubts/groups",
    summary: "Group effects in doubt by what was seen",
    description:
      "By verdict, type and effect, the largest group first. Those of one group mostly have one answer.",
    input: z.strictObject(doubtFilter.query),
    answer: doubtGroupsSchema.describe("The largest first."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    run: (operator, { input }) => operator.doubtGroups(input),
  }),
  askProbes: change({
    id: "askProbes",
    method: "POST",
    path: "/doubts/probe",
    summary: "Ask the probes of effects in doubt",
    description:
      "Those named by `ids`, those that match `filter`, or `all`; at most 1,000 a call. A probe is code of the application: so the job of each runs again, on a worker, and its handler asks. What the probe answers resolves the doubt, recorded as the probe's: done, or not done, and then the effect runs. Where it does not know, the effect stays in doubt.",
    input: askProbesSchema,
    answer: probesAskedSchema.describe("Whose probes are asked, or would be."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    async run(operator, { input, by }) {
      const answer = await operator.askProbes({ ...input, by });
      return { ...answer, before: isoTime(answer.before) };
    },
  }),
  resolveDoubts: change({
    id: "resolveDoubts",
    method: "POST",
    path: "/doubts/resolve",
    summary: "Resolve many effects in doubt with one piece of evidence",
    description:
      "Those named by `ids`, those that match `filter`, or `all`; at most 1,000 a call. Each becomes done or not done as by a call of its own. Safe to send again: what is resolved stays so.",
    input: manyDoubtsSchema,
    answer: manyResolvedSchema.describe("What was resolved, or would be."),
    errors: ["INVALID_REQUEST", "STORE_UNAVAILABLE"],
    async run(operator, { input, by }) {
      const answer = await operator.resolveMany({ ...input, by });
      return { ...answer, before: isoTime(answer.before), doubts: answer.doubts.map(shown) };
    },
  }),
  resolve: change({
    id: "resolveEffect",
    method: "POST",
    path: "/jobs/:id/effects/:name/resolve",
    summary: "Resolve an effect in doubt",
    description:
      "`done`: it happened, and is not run again. `not-done`: it did not happen, and may run; where its first run may still be under way, that needs `confirm`. Either way, a job that waits for it continues; `job` says what happens to it.",
    params: { id: "The job's id.", name: "The effect, as the list of doubts names it." },
    input: resolutionSchema,
    answer: resolvedSchema.describe("Resolved."),
    errors: [
      "INVALID_REQUEST",
      "JOB_NOT_FOUND",
      "EFFECT_NOT_IN_DOUBT",
      "CHANGED_MEANWHILE",
      "RUN_MAY_BE_PENDING",
      "RUN_SAID_DONE",
      "STORE_UNAVAILABLE",
    ],
    returns: "job",
    async run(operator, { params: { id, name: effect }, input, by }) {
      const { as, evidence, result, confirm, expect } = input;
      const json = result === undefined ? undefined : JSON.stringify(result);
      const job = await operator.resolve(id, effect, {
        ...{ as, evidence, result: json, by, confirm },
        since: expect?.since,
        mayStillRun: expect?.mayStillRun,
      });
      return { id, effect, as, job };
    },
  }),
};

function shown({ dedupKey: _, ...doubt }: Doubt) {
  return doubt;
}
