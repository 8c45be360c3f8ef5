/** What somebody found out about an effect in doubt. */
export interface Resolution {
  readonly as: "done" | "not-done";
  /** JSON; where it is absent, the late report of the effect's own worker counts. */
  readonly result?: string | undefined;
  readonly evidence: string;
  readonly by: string;
  /** Says `not-done` although the first run may still be under way, and act later. @default false */
  readonly confirm?: boolean | undefined;
  /** Since when it was in doubt, as somebody has seen it, ISO 8601: it is not resolved if it is another doubt by now. @default whenever */
  readonly since?: string | undefined;
  /** Whether its run could still be under way then: once it is over, a `not-done` from before is asked again. @default false */
  readonly mayStillRun?: boolean | undefined;
  /** What it is part of, where many are resolved together. @default nothing */
  readonly actId?: string | undefined;
}

/** What becomes of a job when a doubt of it is resolved, as effect/resolve.lua explains. */
export const resolvedJobs = [
  "retried",
  "in-doubt",
  "running",
  "cancelled",
  "completed",
  "gone",
  "next-call",
] as const;
export type ResolvedJob = (typeof resolvedJobs)[number];
