import type { Running } from "../../platform/lib/running.ts";
import { integer, tuple } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";
import { inRounds, type SweptPartition, startSweep } from "./start-sweep.ts";

const SWEEP_EVERY_MS = 1_000;
const CURBS_MAX = 20;
/** Occupies Redis for some milliseconds. */
const LET_IN_MAX = 200;

const script = loadScript(import.meta.url, "curb-sweep.lua", tuple(integer, integer, integer));

/** Lets in, each second, jobs that an operator no longer holds back, and those for which a limit has room while no claim looks. */
export function startCurbSweep(partition: SweptPartition): Running {
  const { client, queue, keys } = partition.store;
  const curbing = keys.own("curbing");
  const sweepSome = async () => {
    const [, letIn, again] = await script.run(client, [curbing], [keys.start, CURBS_MAX, LET_IN_MAX]);
    if (letIn > 0) partition.log.info({ queue, jobs: letIn }, "let in jobs that were held back by hand");
    return again === 1;
  };
  const due = [{ key: curbing, afterMs: 0 }];
  return startSweep(partition, { everyMs: SWEEP_EVERY_MS, due }, (mayGoOn) => inRounds(mayGoOn, sweepSome));
}
