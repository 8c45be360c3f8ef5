import type { Logger } from "../lib/logger.ts";
import { oneAtATime } from "../lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import { letInLua } from "./includes.ts";
import type { QueueStore } from "./queue-store.ts";

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for about a millisecond. */
const LANES_MAX = 50;
/** Bounds what a sweep takes of Redis's time, however many lanes are due. */
const ROUNDS_MAX = 10;

const script = loadScript(import.meta.url, "sweep-lanes.lua", nowLua, letInLua);

/**
 * Sweeps the lanes of a queue each second: lets in what nobody let in after a job's end. There is no leader: every worker of the queue
 * sweeps, and the script decides.
 */
export function startLaneSweep({ client, queue, keys }: QueueStore, log: Logger): Running {
  let isStopping = false;
  const sweep = oneAtATime(async () => {
    for (let round = 0; round < ROUNDS_MAX && !isStopping && client.status === "ready"; round += 1) {
      const reply = await script.run(client, [keys.lanes], [keys.start, LANES_MAX]);
      const [looked, letIn] = reply as [number, number];
      if (letIn > 0) log.info({ queue, jobs: letIn }, "held jobs are let in that nobody had let in");
      if (looked < LANES_MAX) return;
    }
  });
  const timer = setInterval(() => {
    sweep().catch((error: unknown) => log.debug({ queue, reason: String(error) }, "sweep of lanes failed"));
  }, SWEEP_EVERY_MS);
  return {
    stop: stopOnce(async () => {
      isStopping = true;
      clearInterval(timer);
    }),
  };
}
