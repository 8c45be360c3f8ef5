import { oneAtATime } from "../service/one-at-a-time.ts";
import { type Running, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";
import { queueKey } from "../store/keys.ts";
import type { WorkerSign } from "./heartbeat.ts";

export interface WatchdogOptions {
  readonly client: StoreClient;
  readonly prefix: string;
  readonly queue: string;
  /** How long a worker with free slots may take nothing while jobs wait, in milliseconds. */
  readonly deafAfterMs: number;
  /** Read at each look. */
  readonly sign: () => WorkerSign;
  /** Whether it would claim a job at all now. */
  readonly mayClaim: () => boolean;
  /** Told once. */
  readonly onDeaf: () => void;
}

export interface Watchdog extends Running {
  /** The store answered that it would not give a job: it may be full, and no other worker would get more. */
  excuse(): void;
}

/** So many looks in a row must find the same: a process that was stopped for a minute has looked once, and not six times. */
const LOOKS = 6;

/**
 * Notices a worker that hears of no job although jobs wait: its connection hangs, or its loop has ended. BullMQ takes
 * care of most such cases; whatever is left would look like an idle worker for ever.
 */
export function startWatchdog(options: WatchdogOptions): Watchdog {
  const { sign, deafAfterMs, mayClaim, onDeaf } = options;
  let takenAt = sign().takenAt;
  let found = 0;
  let isExcused = false;
  const look = oneAtATime(async () => {
    const waits = await jobsWait(options).catch(() => false);
    const { running, concurrency, takenAt: nowTakenAt } = sign();
    const isSuspect = waits && !isExcused && mayClaim() && running < concurrency && nowTakenAt === takenAt;
    takenAt = nowTakenAt;
    isExcused = false;
    found = isSuspect ? found + 1 : 0;
    if (found === LOOKS) onDeaf();
  });
  const timer = setInterval(() => void look(), deafAfterMs / LOOKS);
  return {
    excuse() {
      isExcused = true;
    },
    stop: stopOnce(async () => clearInterval(timer)),
  };
}

/** Whether there are jobs that a worker would get if it asked. */
async function jobsWait({ client, prefix, queue }: WatchdogOptions): Promise<boolean> {
  const key = (name: string) => queueKey(prefix, queue, name);
  const [waiting, prioritized, limits] = await Promise.all([
    client.llen(key("wait")),
    client.zcard(key("prioritized")),
    client.hmget(key("meta"), "paused", "concurrency", "max"),
  ]);
  return waiting + prioritized > 0 && limits.every((limit) => limit === null);
}
