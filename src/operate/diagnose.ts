import type { Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import { exactDurationText } from "../lib/duration-text.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import { countOverdue } from "../queue/read-backlog.ts";
import { diagnoseDoubts } from "./diagnose-doubts.ts";
import { diagnoseEncryption } from "./diagnose-encryption.ts";
import { diagnoseLoss } from "./diagnose-loss.ts";
import { diagnoseQueues } from "./diagnose-queues.ts";
import { diagnoseRedis } from "./diagnose-redis.ts";
import { diagnoseVariables } from "./diagnose-variables.ts";
import { type Finding, finding, ok } from "./finding.ts";
import { type QueueReading, readQueue } from "./read-overview.ts";

const OVERDUE_AFTER_MS = 30_000;

/**
 * Looks at everything that could keep a promise from being kept.
 *
 * @returns a finding for each thing that was looked at, the good ones included
 * @throws whatever the store answers when it cannot be read
 */
export async function diagnose(
  application: Application,
  stores: QueueStores,
  settings: Settings,
): Promise<Finding[]> {
  const { HOLDFAST_PREFIX: prefix, HOLDFAST_DURABILITY: durability } = settings;
  const { client } = stores;
  const store = [
    ...(await diagnoseRedis(client, durability)),
    ...(await diagnoseLoss(application.queues.map(stores.of))),
    ...(await diagnoseQueues(application, stores, prefix)),
  ];
  const queues = await Promise.all(
    application.queues.map(async (name) => {
      const queueStore = stores.of(name);
      const reading = await readQueue(queueStore);
      const overdue = await countOverdue(queueStore, reading.now - OVERDUE_AFTER_MS);
      return [
        ...workers(name, reading),
        overdueJobs(name, overdue, reading),
        doubts(name, reading),
        await diagnoseDoubts(queueStore),
        await diagnoseEncryption(queueStore, settings.HOLDFAST_ENCRYPTION_KEYS),
      ];
    }),
  );
  return [
    ...store,
    ...retention(application, settings),
    stopGrace(application, settings),
    ...diagnoseVariables(application),
    ...queues.flat(),
  ];
}

/** A tick that is caught up after its key is forgotten would run twice. */
function retention({ schedules }: Application, { HOLDFAST_RETENTION_MS }: Settings): Finding[] {
  return schedules.map(({ name, catchUp }) =>
    finding(
      `schedule ${name}`,
      catchUp.mode === "none" || catchUp.windowMs < HOLDFAST_RETENTION_MS ? "ok" : "bad",
      `${catchUp.mode === "none" ? "no catch-up" : `catches up ${exactDurationText(catchUp.windowMs)} back`}; keys are remembered for ${exactDurationText(HOLDFAST_RETENTION_MS)}`,
      {
        reason: "a tick could be caught up after its key is forgotten, and run twice",
        remedy: "shorten the schedule's catchUp.windowMs, or lengthen HOLDFAST_RETENTION_MS",
      },
    ),
  );
}

function stopGrace({ jobs }: Application, { HOLDFAST_STOP_GRACE_MS: graceMs }: Settings): Finding {
  const timeouts = [...jobs.values()].flatMap(({ effects }) =>
    Object.values(effects).map(({ timeoutMs }) => timeoutMs),
  );
  const longest = Math.max(0, ...timeouts);
  return finding(
    "stop grace",
    longest <= graceMs ? "ok" : "warn",
    `${exactDurationText(graceMs)}; the longest side effect may take ${exactDurationText(longest)}`,
    {
      reason: "a side effect that is cut off when a worker stops is in doubt",
      remedy: "lengthen HOLDFAST_STOP_GRACE_MS, and what the supervisor allows before it kills",
    },
  );
}

function workers(queue: string, { queue: depth, workers: known, liveWorkers }: QueueReading): Finding[] {
  const waiting = depth.waiting + depth.prioritized;
  const stuck = known.filter(({ isStuck, isClockWrong }) => isStuck && !isClockWrong).map(({ name }) => name);
  const wrong = known.filter(({ isClockWrong }) => isClockWrong).map(({ name }) => name);
  const found = `${liveWorkers} alive, ${waiting} ${waiting === 1 ? "job" : "jobs"} waiting`;
  return [
    finding(
      `workers of ${queue}`,
      liveWorkers === 0 && waiting > 0 && !depth.isPaused ? "bad" : "ok",
      found,
      {
        reason: "jobs wait, and nobody is there to run them",
        remedy: "start one: holdfast worker",
      },
    ),
    ...stuck.map((name) =>
      finding(`worker ${name}`, "bad", "alive, with room, and takes no jobs", {
        reason: "its connection may be stuck: jobs wait longer than they should",
        remedy: "restart it; its jobs are safe",
      }),
    ),
    ...wrong.map((name) =>
      finding(`worker ${name}`, "bad", "its clock is more than 2 s off the store's", {
        reason: "CLOCK_WRONG: it takes no jobs until it is right",
        remedy: "synchronise its machine's clock (NTP)",
      }),
    ),
    ...(depth.isPaused
      ? [
          finding(`queue ${queue}`, "warn", "paused", {
            reason: "no job of it is run until it is resumed",
            remedy: "resume it with the tool that paused it",
          }),
        ]
      : []),
  ];
}

function overdueJobs(queue: string, overdue: number, { queue: depth }: QueueReading): Finding {
  return finding(
    `delayed jobs of ${queue}`,
    overdue > 0 ? "bad" : "ok",
    `${overdue} of ${depth.delayed} overdue`,
    {
      reason: "jobs that are due are not made ready; workers do that when they look for the next job",
      remedy: "make sure that a worker of this queue runs and can reach the store",
    },
  );
}

function doubts(queue: string, { queue: depth }: QueueReading): Finding {
  if (depth.inDoubt === 0) return ok(`doubts of ${queue}`, "none");
  return finding(
    `doubts of ${queue}`,
    "warn",
    `${depth.inDoubt}, the oldest since ${depth.oldestDoubtSince}`,
    {
      reason: "nobody can know whether these side effects happened; their jobs wait for a person",
      remedy: "holdfast doubts list, then holdfast doubts resolve",
    },
  );
}
