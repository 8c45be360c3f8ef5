import { useQueryClient } from "@tanstack/react-query";
import type { Doubt } from "../service/answers.ts";
import { service } from "../service/call.ts";

export type As = "done" | "not-done";

export interface Resolution {
  readonly as: As;
  readonly evidence: string;
  /** Says not done although first runs may still be under way. */
  readonly confirm?: boolean;
  /** Until when an export is complete that does not name them. */
  readonly completeUntil?: string;
  /** Of what was resolved before, together with these. */
  readonly actId?: string | undefined;
}

/** Those of which the first run may still be under way, where they would be resolved as not done. */
export function pendingOf(doubts: readonly Doubt[], as: As | null): readonly Doubt[] {
  return as === "not-done" ? doubts.filter(({ mayStillRun }) => mayStillRun) : [];
}

export function textOf(as: As): string {
  return as === "done" ? "done" : "not done";
}

/** As many as one call resolves. */
const AT_ONCE = 1_000;

/**
 * Resolves these with one piece of evidence.
 *
 * @returns how many; others had been resolved already; and their id in the audit log
 */
export async function resolveAll(doubts: readonly Doubt[], resolution: Resolution) {
  let [resolved, { actId }] = [0, resolution];
  for (let at = 0; at < doubts.length; at += AT_ONCE) {
    const ids = doubts.slice(at, at + AT_ONCE).map(({ jobId, effect, since }) => ({ jobId, effect, since }));
    const answer = await service.resolveDoubts({ ids, ...resolution, actId });
    resolved += answer.resolved;
    actId = answer.actId;
  }
  return { resolved, actId };
}

const touched = ["doubts", "guarded", "audit", "job", "jobs", "failures"];

/** Reads again what a resolved doubt changes. */
export function useRefreshDoubts(): () => Promise<unknown> {
  const client = useQueryClient();
  return () => Promise.all(touched.map((name) => client.invalidateQueries({ queryKey: [name] })));
}
