import { oneAtATime } from "../lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import type { Logger } from "../telemetry/logger.ts";
import { jobStateLua, tagsLua } from "./includes.ts";
import type { QueueStore } from "./queue-store.ts";

const script = loadScript(import.meta.url, "sweep-tags.lua", nowLua, jobStateLua, tagsLua);

/** Together they occupy Redis for about a millisecond. */
const TAGS_MAX = 10;
const SAMPLE = 50;
const SWEEP_EVERY_MS = 15_000;
const AGAIN_MS = 60_000;
/** Calls of one sweep: workers share the rest. */
const CALLS_MAX = 100;

/**
 * Removes entries of tags whose jobs are gone, which BullMQ removes by itself.
 *
 * @param againMs how long a tag is left alone that was looked at
 * @returns how many it removed
 */
export async function sweepTags({ client, keys }: QueueStore, againMs = AGAIN_MS): Promise<number> {
  let removed = 0;
  for (let calls = 0; calls < CALLS_MAX && client.status === "ready"; calls += 1) {
    const reply = await script.run(client, [keys.tags], [keys.start, TAGS_MAX, SAMPLE, againMs]);
    const [looked, gone] = reply as [number, number];
    removed += gone;
    if (looked < TAGS_MAX && gone === 0) break;
  }
  return removed;
}

/** Sweeps the tags of a queue from time to time. There is no leader: every worker of the queue sweeps. */
export function startTagSweep(store: QueueStore, log: Logger): Running {
  const sweep = oneAtATime(() => sweepTags(store));
  const timer = setInterval(() => {
    sweep().catch((error: unknown) =>
      log.debug({ queue: store.queue, reason: String(error) }, "sweep failed"),
    );
  }, SWEEP_EVERY_MS);
  return { stop: stopOnce(async () => clearInterval(timer)) };
}
