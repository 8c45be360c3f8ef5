import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { stopOnce } from "../../platform/lib/running.ts";
import { whenSlotIsStill } from "../../platform/redis/cluster/open-slot.ts";
import { queueOfPartition } from "../bullmq/store/partitions.ts";
import type { QueueStore } from "../bullmq/store/queue-store.ts";
import type { ConsumedPartition } from "../feature.ts";
import type { WorkerHeartbeat } from "./heartbeat.ts";

/** Looks in a row that must agree: a process that was paused for a minute has looked once. */
const LOOKS = 6;

/**
 * Notices a worker that claims nothing although jobs wait: its connection hangs, or its loop has ended. BullMQ handles most such
 * cases; the rest would look like an idle worker for ever.
 */
export function startWatchdog(partition: ConsumedPartition, heartbeat: () => WorkerHeartbeat) {
  const { store, clock, keysInUse, quiet, isStopping } = partition;
  const mayClaim = () =>
    !isStopping() && !quiet.isQuiet() && clock.isRight() && keysInUse.fault() === undefined;
  let { claimedAt } = heartbeat();
  let found = 0;
  let wasReset = false;
  let fail: (error: HoldfastError) => void = () => {};
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const look = oneAtATime(async () => {
    const isWaiting = await jobsWait(store).catch(() => false);
    const { running, concurrency, claimedAt: nowClaimedAt } = heartbeat();
    const looksStuck =
      isWaiting && !wasReset && mayClaim() && running < concurrency && nowClaimedAt === claimedAt;
    claimedAt = nowClaimedAt;
    wasReset = false;
    found = looksStuck ? found + 1 : 0;
    if (found === LOOKS) fail(stuck(partition));
  });
  const timer = setInterval(() => void look(), heartbeat().stuckAfterMs / LOOKS);
  return {
    /** Redis refused to deliver a job. It may be full, and no other worker would get one. */
    reset() {
      wasReset = true;
    },
    failed,
    stop: stopOnce(async () => clearInterval(timer)),
  };
}

function stuck({ store, settings, log }: ConsumedPartition): HoldfastError {
  const queue = queueOfPartition(store.queue);
  const afterMs = settings.HOLDFAST_STUCK_AFTER_MS;
  const message = `Jobs wait in the queue ${queue}, and with slots free this worker claimed none for ${afterMs} ms`;
  log.fatal({ queue, code: "WORKER_STUCK" }, message);
  return new HoldfastError("WORKER_STUCK", message);
}

/** Whether there are jobs that a worker could claim. */
async function jobsWait({ client, keys }: QueueStore): Promise<boolean> {
  // Meanwhile none is claimed.
  await whenSlotIsStill(client, keys.meta);
  if ((await client.exists(keys.waiting, keys.prioritized)) === 0) return false;
  const limits = await client.hmget(keys.meta, "paused", "concurrency", "max", "ramp");
  return limits.every((limit) => limit === null);
}
