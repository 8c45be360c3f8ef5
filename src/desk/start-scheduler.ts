import { createEvents } from "../core/events.ts";
import type { Application } from "../core/job/application.ts";
import { openSubmitPath } from "../core/submit/submit-path.ts";
import { openValidator } from "../core/submit/validate.ts";
import { features } from "../features/index.ts";
import { type Environment, readSettings } from "../platform/config/settings.ts";
import type { WithLogger } from "../platform/lib/logger.ts";
import { orStop, stopAll, stopOnce } from "../platform/lib/running.ts";
import { createLogger } from "../platform/telemetry/create-logger.ts";
import { checkSchedules } from "../roles/schedules/check-schedules.ts";
import { logTicks } from "../roles/schedules/log-ticks.ts";
import { openMissedTicks } from "../roles/schedules/missed-ticks.ts";
import { openOverlaps } from "../roles/schedules/overlap.ts";
import { openScheduleReader } from "../roles/schedules/read-schedule.ts";
import { runSchedule } from "../roles/schedules/run-schedule.ts";
import { startSchedulerHeartbeat } from "../roles/schedules/scheduler-heartbeat.ts";
import { runStoredSchedules } from "../roles/schedules/stored/run-stored-schedules.ts";
import { openStoredSchedules } from "../roles/schedules/stored/stored-schedules.ts";
import { measureMissedTicks, measureOverdue, measureTicks } from "../roles/schedules/tick-metrics.ts";
import { type MeasuredRole, serveMetrics } from "./role-metrics.ts";

/**
 * Starts a scheduler: it submits each schedule's job at each of its ticks, of those that were put at run time too.
 *
 * It keeps no state. A tick's idempotency key makes any number of schedulers, and any restart, harmless.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param env the variables @default process.env
 * @param options where it logs
 * @throws HoldfastError `CONFIG_INVALID`, `APPLICATION_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`,
 *   `QUEUE_CHANGED`, `CLOCK_WRONG`, `START_FAILED` when the port for its metrics is in use
 */
export async function startScheduler(
  application: Application,
  env?: Environment,
  { logger }: WithLogger = {},
): Promise<MeasuredRole> {
  const settings = readSettings(env);
  const { schedules } = application;
  checkSchedules(schedules, settings.HOLDFAST_RETENTION_MS);
  const log = logger ?? createLogger(settings.HOLDFAST_LOG_LEVEL, "scheduler");
  const events = createEvents();
  logTicks(events, log);
  const names = schedules.map(({ name }) => name);
  const path = await openSubmitPath(application, settings, features, { log, events });
  const { HOLDFAST_PREFIX: prefix, HOLDFAST_RETENTION_MS: retentionMs } = settings;
  const stored = openStoredSchedules(path.stores, application, settings);
  const reader = openScheduleReader(path.stores, settings);
  const { pauses, ticks } = reader;
  const missedTicks = openMissedTicks(reader);
  const serving = serveMetrics({ application, connected: path, settings, events }, (metrics) => {
    measureTicks(events, metrics, names);
    measureOverdue(metrics, stored, path.clock);
    measureMissedTicks(metrics, missedTicks, schedules, path.clock);
  });
  const metricsServer = await orStop(path, serving);
  const stop = new AbortController();
  const overlaps = openOverlaps(path.stores, prefix, retentionMs);
  const tools = {
    submitter: path.submitter,
    clock: path.clock,
    pauses,
    missedTicks,
    overlaps,
    events,
    stopping: stop.signal,
  };
  const heartbeat = startSchedulerHeartbeat({ client: path.client, now: path.clock.now }, prefix);
  const validate = openValidator(features);
  const running = [
    ...schedules.map((schedule) => runSchedule(schedule, tools)),
    runStoredSchedules({ ...tools, stored, application, validate, ticks }),
  ];
  const metricsUrl = metricsServer?.url;
  log.info({ schedules: names, metricsUrl }, "scheduler ready");
  return {
    metricsUrl,
    stop: stopOnce(async () => {
      stop.abort();
      await Promise.all(running);
      await heartbeat.stop();
      await stopAll(metricsServer === undefined ? [path] : [path, metricsServer]);
    }),
  };
}
