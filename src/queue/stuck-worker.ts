import { oneAtATime } from "../lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import type { WorkerHeartbeat } from "./heartbeat.ts";
import type { QueueStore } from "./queue-store.ts";

export interface WatchdogOptions {
  readonly store: QueueStore;
  /** Read at each look. */
  readonly heartbeat: () => WorkerHeartbeat;
  /** Whether it would claim a job at all now. */
  readonly mayClaim: () => boolean;
  /** Told once. */
  readonly onStuck: () => void;
}

export interface Watchdog extends Running {
  /** The store answered that it would not give a job: it may be full, and no other worker would get more. */
  reset(): void;
}

/** So many looks in a row must find the same: a process that was stopped for a minute has looked once, and not six times. */
const LOOKS = 6;

/**
 * Notices a worker that hears of no job although jobs wait: its connection hangs, or its loop has ended. BullMQ takes
 * care of most such cases; whatever is left would look like an idle worker for ever.
 */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { store, heartbeat, mayClaim, onStuck } = options;
  let { claimedAt } = heartbeat();
  let found = 0;
  let wasReset = false;
  const look = oneAtATime(async () => {
    const waits = await jobsWait(store).catch(() => false);
    const { running, concurrency, claimedAt: nowClaimedAt } = heartbeat();
    const looksStuck =
      waits && !wasReset && mayClaim() && running < concurrency && nowClaimedAt === claimedAt;
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

/** Whether there are jobs that a worker would get if it asked. */
async function jobsWait({ client, keys }: QueueStore): Promise<boolean> {
  const [waiting, prioritized, limits] = await Promise.all([
    client.llen(keys.waiting),
    client.zcard(keys.prioritized),
    client.hmget(keys.meta, "paused", "concurrency", "max"),
  ]);
  return waiting + prioritized > 0 && limits.every((limit) => limit === null);
}
