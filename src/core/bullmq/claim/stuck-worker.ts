import { oneAtATime } from "../../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../../platform/lib/running.ts";
import { whenSlotIsStill } from "../../../platform/redis/cluster/open-slot.ts";
import type { WorkerHeartbeat } from "../heartbeat.ts";
import type { QueueStore } from "../store/queue-store.ts";

export interface WatchdogOptions {
  readonly store: QueueStore;
  readonly heartbeat: () => WorkerHeartbeat;
  /** Whether it would claim a job now. */
  readonly mayClaim: () => boolean;
  /** Called once. */
  readonly onStuck: () => void;
}

export interface Watchdog extends Running {
  /** Redis refused to deliver a job. It may be full, and no other worker would get one. */
  reset(): void;
}

/** Looks in a row that must agree: a process that was paused for a minute has looked once. */
const LOOKS = 6;

/**
 * Notices a worker that claims nothing although jobs wait: its connection hangs, or its loop has ended. BullMQ handles most such
 * cases; the rest would look like an idle worker for ever.
 */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { store, heartbeat, mayClaim, onStuck } = options;
  let { claimedAt } = heartbeat();
  let found = 0;
  let wasReset = false;
  const look = oneAtATime(async () => {
    const isWaiting = await jobsWait(store).catch(() => false);
    const { running, concurrency, claimedAt: nowClaimedAt } = heartbeat();
    const looksStuck =
      isWaiting && !wasReset && mayClaim() && running < concurrency && nowClaimedAt === claimedAt;
    claimedAt = nowClaimedAt;
    wasReset = false;
    found = looksStuck ? found + 1 : 0;
    if (found === LOOKS) onStuck();
  });
  const timer = setInterval(() => void look(), heartbeat().stuckAfterMs / LOOKS);
  return {
    reset() {
      wasReset = true;
    },
    stop: stopOnce(async () => clearInterval(timer)),
  };
}

/** Whether there are jobs that a worker could claim. */
async function jobsWait({ client, keys }: QueueStore): Promise<boolean> {
  // Meanwhile none is claimed.
  await whenSlotIsStill(client, keys.meta);
  const [waiting, prioritized, limits] = await Promise.all([
    client.llen(keys.waiting),
    client.zcard(keys.prioritized),
    client.hmget(keys.meta, "paused", "concurrency", "max"),
  ]);
  return waiting + prioritized > 0 && limits.every((limit) => limit === null);
}
