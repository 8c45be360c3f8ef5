import { type Environment, readSettings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import { createLogger } from "../observe/logger.ts";
import { type Running, stopOnce } from "../service/running.ts";
import { openSubmitPath } from "../submit/submit-path.ts";
import { checkSchedules } from "./check-schedules.ts";
import { followSchedule } from "./follow-schedule.ts";
import { startStoreClock } from "./store-clock.ts";

/**
 * Starts a scheduler: submits each schedule's job at each of its ticks.
 *
 * It keeps no state. The tick's idempotency key makes any number of schedulers, and any restart, harmless.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `APPLICATION_INVALID`, `STORE_UNAVAILABLE`, `STORE_UNFIT`
 */
export async function startScheduler(application: Application, env?: Environment): Promise<Running> {
  const settings = readSettings(env);
  checkSchedules(application.schedules, settings.HOLDFAST_RETENTION_MS);
  const log = createLogger(settings.LOG_LEVEL, "scheduler");
  const path = await openSubmitPath(application, settings, log);
  const clock = await startStoreClock(path.client, log);
  const stop = new AbortController();
  const parts = { submitter: path.submitter, clock, log, stopping: stop.signal };
  const following = application.schedules.map((schedule) => followSchedule(schedule, parts));
  log.info({ schedules: application.schedules.map(({ name }) => name) }, "scheduler ready");
  return {
    stop: stopOnce(async () => {
      stop.abort();
      await Promise.all(following);
      await clock.stop();
      await path.stop();
    }),
  };
}
