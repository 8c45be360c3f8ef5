import type { JobState } from "../job/job-state.ts";

/** A job as somebody has seen it, who acts on it. */
export interface SeenJob {
  readonly state: JobState;
  /** ISO 8601; null where it had not. @default whenever */
  readonly finishedAt?: string | null | undefined;
}

/** For scripts; empty where nobody says what they saw. */
export function seenArgument(seen: SeenJob | undefined): string {
  if (seen === undefined) return "";
  const { state, finishedAt } = seen;
  return JSON.stringify([state, finishedAt == null ? 0 : Date.parse(finishedAt)]);
}
