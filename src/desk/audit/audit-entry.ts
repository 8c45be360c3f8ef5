import { z } from "zod";

export const BY =
  "`ops-night`: an API key; `ops-night (session)`: a session of the console; `ann@build-1`: a system user and host, of the command line or of an API that started; `API`: no keys are configured.";

/** What somebody did to a job, a queue, a schedule or many jobs. What is about no single job names none, or the act. */
export const auditEntrySchema = z.object({
  at: z.iso.datetime(),
  jobId: z.string(),
  effect: z.string(),
  queue: z
    .string()
    .meta({ description: "Empty for what is about a worker, a schedule, many jobs or all queues." }),
  schedule: z.string().meta({ description: "Empty for what is about none." }),
  as: z.string().meta({
    description:
      "What was done. Jobs: retried, cancelled, cancelling, deleted, submit-again-started, submitted-again; effects: done, not-done, probe-asked; queues: paused, resumed, limited; workers: worker-quieted, worker-woken; schedules: schedule-paused, schedule-resumed, schedule-tick-skipped, schedule-tick-unskipped, schedule-run-started, schedule-run, schedule-put, schedule-deleted; of queues, workers, schedules and the outbox with -failed where that failed after it was recorded; API keys: keys-changed; acts on many jobs: retry-started, retry-done, retry-stopping, retry-stopped and the like; outbox-released, outbox-discarded; loss-accepted; notices-tested; by Holdfast itself: notice-delivered, notice-failed, notice-sent-directly",
  }),
  count: z.int().nullable().meta({ description: "How many jobs; null for what is not about many." }),
  evidence: z.string().meta({ description: "Why, or how they know; empty if no reason was given." }),
  by: z.string().meta({ description: BY }),
  actId: z.string().nullable().meta({
    description:
      "What it was part of: an act on many jobs, or effects that were resolved, or whose probes were asked, together. Null for what was done alone.",
  }),
});
export type AuditEntry = Readonly<z.output<typeof auditEntrySchema>>;
