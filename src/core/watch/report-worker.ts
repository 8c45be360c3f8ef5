import { stopAll, stopOnce } from "../../platform/lib/running.ts";
import type { ConsumedPartition, PartitionPart } from "../feature.ts";
import { startHeartbeat, type WorkerHeartbeat } from "./heartbeat.ts";
import { startWatchdog } from "./stuck-worker.ts";

/** What a worker reports of itself, and its end when it is stuck. */
export function reportWorker(partition: ConsumedPartition): PartitionPart {
  const { clock, slots, quiet, settings } = partition;
  let claimedAt: number | null = null;
  const heartbeat = (): WorkerHeartbeat => ({
    startedAt: quiet.startedAt,
    concurrency: slots.size,
    running: slots.used,
    claimedAt,
    clockOffsetMs: Math.round(clock.offsetMs()),
    stuckAfterMs: settings.HOLDFAST_STUCK_AFTER_MS,
    isQuiet: quiet.isQuiet(),
    version: settings.HOLDFAST_APPLICATION_VERSION,
  });
  const watchdog = startWatchdog(partition, heartbeat);
  const heartbeats = startHeartbeat(partition, heartbeat);
  return {
    around(job, run) {
      claimedAt = job.startedAt;
      return run(job);
    },
    onError(error) {
      if (error.name === "ReplyError") watchdog.reset();
    },
    failed: watchdog.failed,
    stop: stopOnce(() => stopAll([watchdog, heartbeats])),
  };
}
