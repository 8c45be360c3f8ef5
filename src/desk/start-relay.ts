import { createEvents } from "../core/events.ts";
import type { Application } from "../core/job/application.ts";
import { openSubmitPath } from "../core/submit/submit-path.ts";
import { features } from "../features/index.ts";
import { type Environment, readSettings, requireVariables } from "../platform/config/settings.ts";
import type { WithLogger } from "../platform/lib/logger.ts";
import { orStop, stopAll, stopOnce } from "../platform/lib/running.ts";
import { createLogger } from "../platform/telemetry/create-logger.ts";
import { startRelay as relayRows } from "../roles/outbox/relay.ts";
import { measureOutbox } from "./outbox/outbox-metrics.ts";
import { type MeasuredRole, serveMetrics } from "./role-metrics.ts";

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
  const path = await openSubmitPath(application, settings, features, { log, events });
  let measure: ReturnType<typeof measureOutbox> | undefined;
  const serving = serveMetrics({ application, connected: path, settings, events }, (metrics) => {
    measure = measureOutbox(metrics, [...application.jobs.keys()], databaseUrl);
  });
  const metricsServer = await orStop(path, serving);
  const parts = metricsServer === undefined ? [path] : [metricsServer, path];
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
  const relay = await orStop({ stop: () => stopAll(parts) }, starting);
  const metricsUrl = metricsServer?.url;
  log.info({ metricsUrl }, "relay ready");
  return {
    metricsUrl,
    stop: stopOnce(() => stopAll([...parts, relay])),
  };
}
