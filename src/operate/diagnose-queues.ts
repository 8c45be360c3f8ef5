import type { Application } from "../job/define-config.ts";
import { changedQueues, readQueueMemory } from "../queue/queue-memory.ts";
import type { QueueStore, QueueStores } from "../queue/queue-store.ts";
import { readBacklog } from "../queue/read-backlog.ts";
import { type Finding, finding, ok } from "./finding.ts";

/** Looks whether types have changed their queue without saying so, and whether jobs were left behind in one. */
export async function diagnoseQueues(
  application: Application,
  stores: QueueStores,
  prefix: string,
): Promise<Finding[]> {
  const memory = await readQueueMemory(stores.client, prefix);
  const changed = changedQueues(application, memory).map(({ type, queue, lastQueue, line }) =>
    finding(`queue of ${type}`, "bad", `${queue}, and it was last submitted to ${lastQueue}`, {
      reason: "the keys that were used there would be forgotten: no API, worker or scheduler starts",
      remedy: `write ${line} into its contract, see docs/change-a-queue.md`,
    }),
  );
  const undeclared = new Set(
    [...memory.values()].flat().filter((name) => !application.queues.includes(name)),
  );
  const left = await Promise.all(
    [...undeclared].map((name) => leftBehind(application, stores.of(name), memory)),
  );
  const known = changed.length === 0 ? [ok("queues of types", "as they were last submitted to")] : changed;
  return [...known, ...left];
}

async function leftBehind(
  { jobs: declared }: Application,
  store: QueueStore,
  memory: ReadonlyMap<string, readonly string[]>,
): Promise<Finding> {
  const { queue: name } = store;
  const { jobs, doubts } = await readBacklog(store);
  const open = jobs.waiting + jobs.prioritized + jobs.delayed + jobs.active;
  const types = [...memory].filter(([, queues]) => queues.includes(name)).map(([type]) => type);
  const remedies = types.map((type) =>
    declared.has(type)
      ? `add ${JSON.stringify(name)} to formerQueues of job ${type}`
      : `declare job ${type} again, with this queue`,
  );
  return finding(
    `queue ${name}`,
    open + doubts > 0 ? "bad" : "ok",
    `no job of the application names it; ${counted(open, "job")} left in it, ${counted(doubts, "effect")} in doubt`,
    {
      reason: "nobody runs what waits there, and nobody sees what is in doubt",
      remedy: `${remedies.join(", or ")}, see docs/change-a-queue.md`,
    },
  );
}

function counted(many: number, what: string): string {
  return `${many} ${many === 1 ? what : `${what}s`}`;
}
