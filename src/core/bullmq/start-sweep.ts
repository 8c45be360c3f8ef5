import type { Logger } from "../../platform/lib/logger.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import type { QueueStore } from "./store/queue-store.ts";

export interface SweepOptions {
  readonly everyMs: number;
  readonly log: Logger;
  /** Asked before each sweep. @default always */
  readonly isDue?: () => Promise<boolean>;
}

/**
 * Sweeps a queue again and again: a sweep does what no single step can, since a process can die between any two. There is no leader:
 * every worker of the queue sweeps, and the sweep's script decides.
 *
 * @param sweep gets whether its next step may be sent
 */
export function startSweep(
  { client, queue }: QueueStore,
  { everyMs, log, isDue = async () => true }: SweepOptions,
  sweep: (mayGoOn: () => boolean) => Promise<unknown>,
): Running {
  let isStopping = false;
  // A retrying connection would keep the command until Redis is back; the next sweep comes soon.
  const mayGoOn = () => !isStopping && client.status === "ready";
  const sweepOnce = oneAtATime(async () => {
    if (mayGoOn() && (await isDue())) await sweep(mayGoOn);
  });
  const timer = setInterval(() => {
    sweepOnce().catch((error: unknown) => log.debug({ queue, reason: String(error) }, "sweep failed"));
  }, everyMs);
  return {
    stop: stopOnce(async () => {
      isStopping = true;
      clearInterval(timer);
    }),
  };
}
