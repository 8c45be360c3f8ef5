import { createEvents } from "../core/events.ts";
import type { Application } from "../core/job/application.ts";
import { openSubmitPath } from "../core/submit/submit-path.ts";
import { features } from "../features/index.ts";
import { startRelay as relayRows } from "../features/outbox/relay.ts";
import { type Environment, readSettings, requireVariables } from "../platform/config/settings.ts";
import type { WithLogger } from "../platform/lib/logger.ts";
import { orStop, stopAll, stopOnce } from "../platform/lib/running.ts";
import { createLogger } from "../platform/telemetry/create-logger.ts";
import { createMetrics } from "../platform/telemetry/metrics.ts";
import { measureSubmissions } from "./job-metrics.ts";
import { measureOutbox } from "./outbox/outbox-metrics.ts";
import { measureClock, measureRedis } from "./overview/queue-metrics.ts";
import { serveReadiness } from "./readiness.ts";
import type { MeasuredRole } from "./start-worker.ts";

/**
 * Starts a relay: it submits the rows of the outbox in PostgreSQL. Several do no harm: they share the rows.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param env the variables @default process.env
 * @param options where it logs
 * @throws HoldfastError `CONFIG_INVALID`, `APPLICATION_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`,
 *   `CLOCK_WRONG`, `DATABASE_UNAVAILABLE`, `OUTBOX_NOT_FOUND`, `OUTBOX_VERSION_UNKNOWN`, `START_FAILED` when the port for its metrics is
 *   in use
 */
export async function startRelay(
  application: Application,
  env?: Environment,
  { logger }: WithLogger = {},
): Promise<MeasuredRole> {
  const settings = readSettings(env);
  requireVariables(new Map([["DATABASE_URL", ["the relay"]]]), env);
  const { DATABASE_URL: databaseUrl = "", HOLDFAST_RETENTION_MS: retentionMs } = settings;
  const log = logger ?? createLogger(settings.HOLDFAST_LOG_LEVEL, "relay");
  const events = createEvents();
  const types = [...application.jobs.keys()];
  const metrics = settings.HOLDFAST_METRICS_PORT === undefined ? undefined : createMetrics();
  const path = await openSubmitPath(application, settings, features, { log, events });
  const measure = metrics && measureOutbox(metrics, types, databaseUrl);
  if (metrics !== undefined) {
    measureSubmissions(events, metrics, types);
    measureRedis(metrics, path.stores, application.queues);
    measureClock(metrics, path.clock);
  }
  const starting = relayRows({
    databaseUrl,
    submit: path.submitter.submit,
    retentionMs,
    keepMs: settings.HOLDFAST_OUTBOX_KEEP_MS,
    log,
    onRow(row, outcome, ageMs) {
      measure?.(row, outcome, ageMs);
      if (outcome === "parked") log.error({ row: row.id, type: row.type }, "row parked");
    },
  });
  const relay = await orStop(path, starting);
  const parts = [path, relay];
  const serving = metrics && serveReadiness(metrics, path, application.queues, settings);
  const metricsServer = serving && (await orStop({ stop: () => stopAll(parts) }, serving));
  const metricsUrl = metricsServer?.url;
  log.info({ metricsUrl }, "relay ready");
  return {
    metricsUrl,
    stop: stopOnce(() => stopAll(metricsServer === undefined ? parts : [metricsServer, ...parts])),
  };
}
