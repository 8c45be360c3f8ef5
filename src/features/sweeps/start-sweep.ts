import type { ConsumedPartition } from "../../core/feature.ts";
import { oneAtATime } from "../../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../../platform/lib/running.ts";
import { type DueKey, watchDue } from "./due-sweeps.ts";

export interface SweepOptions {
  readonly everyMs: number;
  /** Swept only while one of them gives something to do. @default always */
  readonly due?: readonly DueKey[];
}

/** What a sweep looks after. */
export type SweptPartition = Pick<ConsumedPartition, "store" | "log">;

/**
 * Sweeps a queue again and again: a sweep does what no single step can, since a process can die between any two. There is no leader:
 * every worker of the queue sweeps, and the sweep's script decides.
 *
 * @param partition one object for all sweeps of a partition: they ask together whether anything is due
 * @param sweep gets whether its next step may be sent
 */
export function startSweep(
  partition: SweptPartition,
  { everyMs, due }: SweepOptions,
  sweep: (mayGoOn: () => boolean) => Promise<unknown>,
): Running {
  const { client, queue } = partition.store;
  const isDue = due && watchDue(partition, due);
  let isStopping = false;
  // A retrying connection would keep the command until Redis is back; the next sweep comes soon.
  const mayGoOn = () => !isStopping && client.status === "ready";
  const sweepOnce = oneAtATime(async () => {
    if (mayGoOn() && (isDue === undefined || (await isDue()))) await sweep(mayGoOn);
  });
  const timer = setInterval(() => {
    sweepOnce().catch((error: unknown) =>
      partition.log.debug({ queue, reason: String(error) }, "sweep failed"),
    );
  }, everyMs);
  return {
    stop: stopOnce(async () => {
      isStopping = true;
      clearInterval(timer);
    }),
  };
}

/** Bounds what a sweep takes of Redis's time, however much is due. */
const ROUNDS_MAX = 10;

/** Repeats a step of a sweep while it finds as much as it may look at. @param step returns whether it did */
export async function inRounds(mayGoOn: () => boolean, step: () => Promise<boolean>): Promise<void> {
  for (let round = 0; round < ROUNDS_MAX && mayGoOn() && (await step()); round += 1);
}
