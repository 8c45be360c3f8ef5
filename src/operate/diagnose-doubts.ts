import { findStuckDoubts } from "../effect/stuck-doubts.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { type Finding, finding } from "./finding.ts";

/** Looks whether every doubt of a queue can be resolved, and lets its job go on. */
export async function diagnoseDoubts(store: QueueStore): Promise<Finding> {
  const { unlisted, stale, open } = await findStuckDoubts(store);
  const parts = [
    [unlisted, "say in doubt with nothing to resolve"],
    [stale, "are listed and cannot be resolved"],
    [open, "have completed with an effect still open"],
  ] as const;
  const found = parts
    .filter(([ids]) => ids.length > 0)
    .map(([ids, what]) => `${ids.length} ${what} (${ids[0]})`);
  return finding(
    `resolving doubts of ${store.queue}`,
    found.length === 0 ? "ok" : "bad",
    found.length === 0 ? "nothing is stuck" : found.join("; "),
    {
      reason: "a job waits for an answer that nobody can give",
      remedy:
        "make sure that a worker of this queue runs: it mends what a crash has left; else retry the jobs by hand",
    },
  );
}
