import { type JobRetention, type Kept, keptStates } from "../job/retention.ts";
import type { Logger } from "../lib/logger.ts";
import { oneAtATime } from "../lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { nowLua } from "../redis/includes.ts";
import { loadScript } from "../redis/script.ts";
import { deleteEndedLua } from "./includes.ts";

/** A type whose ended jobs are kept shorter than the queue's. */
interface KeptType {
  readonly type: string;
  readonly retention: JobRetention;
}

const SWEEP_EVERY_MS = 1_000;
/** Occupies Redis for about a millisecond. */
const JOBS_MAX = 100;

const script = loadScript(import.meta.url, "trim-ended.lua", nowLua, deleteEndedLua);

/** Deletes ended jobs as their types declare, each second. There is no leader: every worker of the queue sweeps. */
export function startRetentionSweep(store: QueueStore, types: readonly KeptType[], log: Logger): Running {
  const { client, keys, queue } = store;
  const byState = keptStates.map((state) => ({ state, rules: rulesOf(types, state) }));
  let isStopping = false;

  async function trim(state: (typeof keptStates)[number], rules: readonly Rule[]): Promise<void> {
    const args = [keys.start, keys.ledgerStart, state, JSON.stringify(rules), JOBS_MAX];
    // A retrying connection would keep the command until Redis is back; the next sweep comes soon.
    for (let isMore = true; isMore && !isStopping && client.status === "ready"; ) {
      const [, more] = (await script.run(client, [keys[state]], args)) as [number, number];
      isMore = more === 1;
    }
  }

  const sweep = oneAtATime(async () => {
    for (const { state, rules } of byState) if (rules.length > 0) await trim(state, rules);
  });
  const timer = setInterval(() => {
    sweep().catch((error: unknown) => log.debug({ queue, reason: String(error) }, "sweep failed"));
  }, SWEEP_EVERY_MS);
  return {
    stop: stopOnce(async () => {
      isStopping = true;
      clearInterval(timer);
    }),
  };
}

type Rule = Kept & { readonly type: string };

function rulesOf(types: readonly KeptType[], state: (typeof keptStates)[number]): Rule[] {
  return types
    .flatMap(({ type, retention }) => {
      const kept = retention[state];
      return kept === undefined ? [] : [{ type, ...kept }];
    })
    .sort((a, b) => (a.type < b.type ? -1 : 1));
}
