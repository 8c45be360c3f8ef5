import { setTimeout as sleep } from "node:timers/promises";
import { type Environment, readSettings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import type { Schedule } from "../contract/define-schedule.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { createLogger, type Logger } from "../observe/logger.ts";
import { type Running, stopOnce } from "../service/running.ts";
import { openSubmitPath } from "../submit/submit-path.ts";
import type { Submitter } from "../submit/submitter.ts";
import { nextTick, tickKey } from "./ticks.ts";

const RETRY_MS = 1_000;
/** setTimeout counts in 32 bits; longer waits are made of several. */
const LONGEST_SLEEP_MS = 2 ** 31 - 1;

/**
 * Starts a scheduler: submits each schedule's job at each of its ticks.
 *
 * It keeps no state. The tick's idempotency key makes any number of schedulers, and any restart, harmless.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_UNFIT`
 */
export async function startScheduler(application: Application, env?: Environment): Promise<Running> {
  const settings = readSettings(env);
  const log = createLogger(settings.LOG_LEVEL, "scheduler");
  const path = await openSubmitPath(application, settings, log);
  const stopping = new AbortController();
  const following = application.schedules.map((schedule) =>
    follow(schedule, path.submitter, log, stopping.signal),
  );
  log.info({ schedules: application.schedules.map(({ name }) => name) }, "scheduler ready");
  return {
    stop: stopOnce(async () => {
      stopping.abort();
      await Promise.all(following);
      await path.stop();
    }),
  };
}

async function follow(
  schedule: Schedule,
  submitter: Submitter,
  log: Logger,
  stopping: AbortSignal,
): Promise<void> {
  let at = nextTick(schedule, new Date());
  while (await sleptUntil(at, stopping)) {
    const next = nextTick(schedule, at);
    await submitTick(schedule, at, next, submitter, log, stopping);
    at = next;
  }
}

/** Tries until the tick is submitted or the next one is due. */
async function submitTick(
  schedule: Schedule,
  at: Date,
  next: Date,
  submitter: Submitter,
  log: Logger,
  stopping: AbortSignal,
): Promise<void> {
  const tickLog = log.child({ schedule: schedule.name, tick: at.toISOString() });
  const submission = {
    type: schedule.job.type,
    payload: schedule.payload({ at }),
    idempotencyKey: tickKey(schedule, at),
  };
  do {
    try {
      const { id, duplicate } = await submitter.submit(submission);
      tickLog.info({ jobId: id, duplicate }, duplicate ? "tick was enqueued before" : "tick enqueued");
      return;
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      tickLog.warn({ code: error.code }, error.message);
      if (!error.retryable) return;
    }
  } while ((await sleptUntil(new Date(Date.now() + RETRY_MS), stopping)) && Date.now() < next.getTime());
}

/** @returns false when woken by a stop */
async function sleptUntil(at: Date, stopping: AbortSignal): Promise<boolean> {
  for (let left = at.getTime() - Date.now(); left > 0; left = at.getTime() - Date.now()) {
    await sleep(Math.min(left, LONGEST_SLEEP_MS), undefined, { signal: stopping }).catch(() => {});
    if (stopping.aborted) return false;
  }
  return !stopping.aborted;
}
