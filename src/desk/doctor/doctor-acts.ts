import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { type Finding, finding, ok } from "../../platform/errors/finding.ts";
import { durationText } from "../../platform/lib/duration-text.ts";
import { readActBacklog } from "../acts/act-backlog.ts";

/** An act that waits longer is late: a worker starts it at once, unless two others run. */
const LATE_MS = 30_000;

export async function diagnoseActs(stores: QueueStores): Promise<Finding | undefined> {
  const { running, waiting, oldestWaitingMs, workers, isPaused } = await readActBacklog(stores);
  if (running + waiting === 0) return undefined;
  const name = "acts on many jobs";
  const late = oldestWaitingMs > LATE_MS ? `, the next one for ${durationText(oldestWaitingMs)}` : "";
  const found = `${running} running, ${waiting} waiting${late}`;
  if (late === "") return ok(name, found);
  if (running > 0)
    return finding(name, "warn", found, {
      reason: "each worker runs two at a time, so those behind wait",
      remedy: "holdfast acts list shows how far they are; holdfast acts stop ends one",
    });
  return finding(name, "bad", found, {
    reason: isPaused
      ? 'their queue, "holdfast", was paused by another tool: no act starts'
      : `nothing is retried, cancelled or deleted; ${workers} workers are alive`,
    remedy: isPaused
      ? "resume it with that tool"
      : "start a worker, any one runs acts: holdfast worker; one that is alive and starts none is quiet, holdfast workers wake NAME, or stuck: restart it",
  });
}
