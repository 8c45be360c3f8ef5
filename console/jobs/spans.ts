import type { JobDetail } from "../service/answers.ts";

/** One attempt: how long the job waited for it, and how long it ran. Instants are milliseconds since 1970. */
export interface Span {
  /** Undefined while it has not started. */
  readonly startedAt: number | undefined;
  /** Since when it waited. */
  readonly from: number;
  readonly to: number;
  readonly outcome: "waiting" | "running" | "completed" | "failed";
}

/** A parent whose child has failed: BullMQ counts that as an attempt, and no handler was called. */
export function isUnrun({ error, attempts }: Pick<JobDetail, "error" | "attempts">): boolean {
  return error?.code === "CHILD_FAILED" && attempts.length === 0;
}

/** A job's attempts in order, also one that is still to start. @param now by the service's clock */
export function spansOf(job: JobDetail, now: number): Span[] {
  const { state, submittedAt, startedAt, finishedAt, attempts } = job;
  const spans: Span[] = [];
  let from = Date.parse(submittedAt);
  const add = (start: number, end: number, outcome: Span["outcome"]) => {
    const began = Math.max(start, from);
    const to = Math.max(end, began);
    spans.push({ startedAt: began, from, to, outcome });
    from = to;
  };
  const failed = attempts.toSorted((one, other) => Date.parse(one.endedAt) - Date.parse(other.endedAt));
  for (const attempt of failed) add(Date.parse(attempt.startedAt), Date.parse(attempt.endedAt), "failed");
  const latest = startedAt === null ? undefined : Date.parse(startedAt);
  if (state === "active") add(latest ?? now, now, "running");
  else if (state === "completed" && finishedAt !== null)
    add(latest ?? from, Date.parse(finishedAt), "completed");
  else if (state === "failed" && finishedAt !== null) addRest(Date.parse(finishedAt));
  else spans.push({ startedAt: undefined, from, to: Math.max(now, from), outcome: "waiting" });
  return spans;

  /** A job can fail without a failed attempt: in doubt, cancelled, or while it waited. */
  function addRest(end: number): void {
    if (isUnrun(job)) spans.push({ startedAt: undefined, from, to: end, outcome: "failed" });
    else if (latest !== undefined && latest > (failed.length === 0 ? 0 : from)) add(latest, end, "failed");
    else if (failed.length === 0) spans.push({ startedAt: undefined, from, to: end, outcome: "failed" });
  }
}
