import { type Environment, readSettings, type Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import { stopAll, stopOnce } from "../lib/running.ts";
import { measureClock, measureRedis } from "../queue/queue-metrics.ts";
import { openSubmitPath, type SubmitPath } from "../submit/submit-path.ts";
import { createLogger } from "../telemetry/logger.ts";
import { createMetrics, type Metrics } from "../telemetry/metrics.ts";
import { type MeasuredRole, type MetricsServer, startMetricsServer } from "../telemetry/metrics-server.ts";
import { checkSchedules } from "./check-schedules.ts";
import { runSchedule } from "./run-schedule.ts";
import { tickReporter } from "./tick-metrics.ts";

/**
 * Starts a scheduler: submits each schedule's job at each of its ticks.
 *
 * It keeps no state. The tick's idempotency key makes any number of schedulers, and any restart, harmless.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `APPLICATION_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`, `START_FAILED` when the port
 *   for its metrics is taken
 */
export async function startScheduler(application: Application, env?: Environment): Promise<MeasuredRole> {
  const settings = readSettings(env);
  checkSchedules(application.schedules, settings.HOLDFAST_RETENTION_MS);
  const log = createLogger(settings.LOG_LEVEL, "scheduler");
  const metrics = settings.HOLDFAST_METRICS_PORT === undefined ? undefined : createMetrics();
  const path = await openSubmitPath(application, settings, log, metrics);
  const metricsServer = metrics && (await serveMetrics(metrics, application, path, settings));
  const stop = new AbortController();
  const tell = metrics && tickReporter(metrics, application.schedules);
  const parts = { submitter: path.submitter, clock: path.clock, log, tell, stopping: stop.signal };
  const following = application.schedules.map((schedule) => runSchedule(schedule, parts));
  const names = application.schedules.map(({ name }) => name);
  const metricsUrl = metricsServer?.url;
  log.info({ schedules: names, metricsUrl }, "scheduler ready");
  return {
    metricsUrl,
    stop: stopOnce(async () => {
      stop.abort();
      await Promise.all(following);
      await stopAll(metricsServer === undefined ? [path] : [path, metricsServer]);
    }),
  };
}

/** Where the metrics cannot be served, nothing is left open. */
async function serveMetrics(
  metrics: Metrics,
  { queues }: Application,
  { stores, clock, stop }: SubmitPath,
  settings: Settings,
): Promise<MetricsServer> {
  measureRedis(metrics, stores, queues);
  measureClock(metrics, clock);
  try {
    return await startMetricsServer(metrics, settings);
  } catch (error) {
    await stop();
    throw error;
  }
}
