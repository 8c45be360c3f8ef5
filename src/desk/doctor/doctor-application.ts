import { join } from "node:path";
import { changedQueues, readQueueMemory } from "../../core/bullmq/store/queue-memory.ts";
import type { QueueStore, QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/application.ts";
import { applicationVariables, readEnv, shownValue } from "../../platform/config/application-env.ts";
import { readVariable, type Settings } from "../../platform/config/settings.ts";
import { type Finding, finding, ok } from "../../platform/errors/finding.ts";
import { HoldfastError, type Issue } from "../../platform/errors/holdfast-error.ts";
import { exactDurationText } from "../../platform/lib/duration-text.ts";
import { writeFault } from "../../platform/lib/private-files.ts";
import type { Schema } from "../../platform/lib/schema.ts";
import { counted } from "../counted.ts";
import { readBacklog } from "../overview/read-backlog.ts";
import { requiredVariables } from "../required-variables.ts";

export function diagnoseSettings(application: Application, settings: Settings): Finding[] {
  return [
    ...catchUps(application, settings),
    stopGrace(application, settings),
    ...errorsThatProve(application),
    dataDirectory(settings),
    ...variables(application),
    ...ownVariables(application),
  ];
}

/** A tick that is caught up after its key is forgotten would run twice. */
function catchUps({ schedules }: Application, { HOLDFAST_RETENTION_MS: retentionMs }: Settings): Finding[] {
  return schedules.map(({ name, catchUp: { mode, windowMs } }) => {
    const isSafe = mode === "none" || windowMs < retentionMs;
    const window = mode === "none" ? "no catch-up" : `catches up ${exactDurationText(windowMs)} back`;
    const found = `${window}; keys are remembered for ${exactDurationText(retentionMs)}`;
    return finding(`schedule ${name}`, isSafe ? "ok" : "bad", found, {
      reason: "a tick could be caught up after its key is forgotten, and run twice",
      remedy: "shorten the schedule's catchUp.windowMs, or lengthen HOLDFAST_RETENTION_MS",
    });
  });
}

function stopGrace({ jobs }: Application, { HOLDFAST_STOP_GRACE_MS: graceMs }: Settings): Finding {
  const timeouts = [...jobs.values()].flatMap(({ effects }) =>
    Object.values(effects).map(({ timeoutMs }) => timeoutMs),
  );
  const longestMs = Math.max(0, ...timeouts);
  const found = `${exactDurationText(graceMs)}; the longest side effect may take ${exactDurationText(longestMs)}`;
  return finding("stop grace", longestMs <= graceMs ? "ok" : "warn", found, {
    reason: "a side effect that is cut off when a worker stops is in doubt",
    remedy: "lengthen HOLDFAST_STOP_GRACE_MS, and the time that the supervisor waits before it kills",
  });
}

/** Whoever declares that unknown errors mean "not done" answers for it: here is who does. */
function errorsThatProve({ jobs }: Application): Finding[] {
  return [...jobs.values()].flatMap(({ type, effects }) =>
    Object.entries(effects).flatMap(([name, { onError }]) =>
      onError === "not-done"
        ? finding(`effect ${name} of ${type}`, "warn", 'onError: "not-done"', {
            reason: "an error that comes after the act counts as not done, and the effect acts again",
            remedy: "throw NotDoneError where it is known, or declare a classifier of holdfast/evidence",
          })
        : [],
    ),
  );
}

/** What the roles have seen of Redis is kept there, for those that come after them. */
function dataDirectory({ HOLDFAST_DATA_DIR: directory }: Settings): Finding {
  const fault = writeFault(join(directory, "epochs"));
  return finding(
    "data directory",
    fault === undefined ? "ok" : "bad",
    `${directory}: ${fault ?? "writable"}`,
    {
      reason:
        "data that Redis loses while no process runs goes unnoticed: keys and effects are forgotten and may repeat",
      remedy: "let HOLDFAST_DATA_DIR name a directory on a disk, which the user of the roles may write to",
    },
  );
}

/** Checks whether a worker with this environment would start. */
function variables(application: Application): Finding[] {
  return [...requiredVariables(application)].map(([name, types]) => {
    const value = readVariable(name);
    if (value !== undefined) return ok(name, shown(name, value));
    return finding(name, "warn", `not set; required by ${types.join(", ")}`, {
      reason: "a worker with this environment does not start",
      remedy: `set ${name} for every worker`,
    });
  });
}

function ownVariables({ env }: Application): Finding[] {
  if (env === undefined) return [];
  const faults = new Map(faultsOf(env).map(({ pointer, message }) => [pointer, message]));
  const found = applicationVariables(env).map(({ name, fallback, isSecret }) => {
    const text = readVariable(name);
    const shown = text === undefined ? `not set${fallback && `; ${fallback}`}` : shownValue(text, isSecret);
    return finding(name, faults.has(name) ? "bad" : "ok", faults.get(name) ?? shown, {
      reason: "a worker with this environment does not start",
      remedy: `set ${name} for every worker as env in the application's configuration expects it`,
    });
  });
  return found;
}

function faultsOf(env: Schema): readonly Issue[] {
  try {
    readEnv(env);
    return [];
  } catch (error) {
    if (error instanceof HoldfastError && error.issues !== undefined) return error.issues;
    throw error;
  }
}

/** A variable can contain a secret, so of a mail server only the address is shown. */
function shown(name: string, value: string): string {
  return name === "SMTP_URL" && URL.canParse(value) ? new URL(value).host : "set";
}

/** Checks whether types changed their queue without saying so, and whether jobs were left in a former queue. */
export async function diagnoseQueuesOfTypes(
  application: Application,
  stores: QueueStores,
  prefix: string,
): Promise<Finding[]> {
  const memory = await readQueueMemory(stores.client, prefix);
  const changed = changedQueues(application, memory).map(({ type, queue, lastQueue, line }) =>
    finding(`queue of ${type}`, "bad", `${queue}, and it was last submitted to ${lastQueue}`, {
      reason: "the keys that were used there would be forgotten, so no API, worker or scheduler starts",
      remedy: `write ${line} into its contract, see docs/change-a-queue.md`,
    }),
  );
  const undeclared = new Set(
    [...memory.values()].flat().filter((name) => !application.queues.includes(name)),
  );
  const left = [...undeclared].map((name) => leftInQueue(application, stores.of(name), memory));
  const known = changed.length === 0 ? [ok("queues of types", "as they were last submitted to")] : changed;
  return [...known, ...(await Promise.all(left))];
}

async function leftInQueue(
  { jobs: declared }: Application,
  store: QueueStore,
  memory: ReadonlyMap<string, readonly string[]>,
): Promise<Finding> {
  const { queue } = store;
  const { jobs, doubts } = await readBacklog(store);
  const open = jobs.waiting + jobs["waiting-children"] + jobs.prioritized + jobs.delayed + jobs.active;
  const types = [...memory].filter(([, queues]) => queues.includes(queue)).map(([type]) => type);
  const remedies = types.map((type) =>
    declared.has(type)
      ? `add ${JSON.stringify(queue)} to formerQueues of job ${type}`
      : `declare job ${type} again, with this queue`,
  );
  const left = `${counted(open, "job")} left in it, ${counted(doubts, "effect")} in doubt`;
  return finding(
    `queue ${queue}`,
    open + doubts > 0 ? "bad" : "ok",
    `no job of the application names it; ${left}`,
    {
      reason: "no worker runs its waiting jobs, and nobody sees its doubts",
      remedy: `${remedies.join(", or ")}, see docs/change-a-queue.md`,
    },
  );
}
