import type { FastifyInstance } from "fastify";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { createEvents } from "../../core/events.ts";
import type { Application } from "../../core/job/define-config.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { openSubmitPath } from "../../core/submit/submit-path.ts";
import { startAuditLogging } from "../../desk/audit/log-audit.ts";
import { recordApiKeys } from "../../desk/audit/record-api-keys.ts";
import { measureEffects, measureSubmissions } from "../../desk/job-metrics.ts";
import type { MetricsServer } from "../../desk/metrics-server.ts";
import { internalSubmitter, openOperator } from "../../desk/operator.ts";
import { measureClock, measureRedis } from "../../desk/overview/queue-metrics.ts";
import { openOverviewReader } from "../../desk/overview/read-overview.ts";
import { openOverviewWatch } from "../../desk/overview/watch-overview.ts";
import { serveReadiness } from "../../desk/readiness.ts";
import { features } from "../../features/index.ts";
import { measureMissedTicks, openMissedTicks } from "../../features/schedules/missed-ticks.ts";
import { openScheduleReader } from "../../features/schedules/read-schedule.ts";
import { measureOverdue } from "../../features/stored-schedules/overdue.ts";
import { openStoredSchedules } from "../../features/stored-schedules/stored-schedules.ts";
import { type Environment, readSettings, type Settings } from "../../platform/config/settings.ts";
import { cannotListen, urlOf } from "../../platform/lib/hosts.ts";
import type { Logger, WithLogger } from "../../platform/lib/logger.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { createLogger } from "../../platform/telemetry/create-logger.ts";
import { createMetrics } from "../../platform/telemetry/metrics.ts";
import { username } from "../username.ts";
import { createServer } from "./server.ts";
import { openSubscribers } from "./subscribers.ts";

const SWEEP_MS = 100;

/** A running API. */
export interface Api extends Running {
  /** Where it listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string;
}

/**
 * Starts the HTTP API.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param env the variables @default process.env
 * @param options where it logs
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`,
 *   `START_FAILED` if the port is in use
 */
export async function startApi(
  application: Application,
  env?: Environment,
  { logger }: WithLogger = {},
): Promise<Api> {
  const metrics = createMetrics();
  const events = createEvents();
  measureSubmissions(events, metrics, [...application.jobs.keys()]);
  measureEffects(events, metrics, application.jobs.values());
  const configured = readSettings(env);
  const log = logger ?? createLogger(configured.HOLDFAST_LOG_LEVEL, "api");
  const path = await openSubmitPath(application, configured, features, { log, events });
  const settings = { ...configured, HOLDFAST_DURABILITY: path.durability };
  measureRedis(metrics, path.stores, application.queues);
  measureClock(metrics, path.clock);
  const missedTicks = openMissedTicks(openScheduleReader(path.stores, settings));
  measureMissedTicks(metrics, missedTicks, application.schedules, path.clock);
  measureOverdue(metrics, openStoredSchedules(path.stores, application, settings), path.clock);
  const audit = await startAudit(path.stores, application, settings, log);
  const overviews = openOverviewReader({ ...path, application, settings });
  const operator = openOperator({
    application,
    stores: path.stores,
    settings,
    submitAct: internalSubmitter(path, settings),
    submitOwn: path.submitter.submitOwn,
    events,
    overviews,
  });
  const subscribers = openSubscribers(path.stores, { max: settings.HOLDFAST_SUBSCRIBERS_MAX });
  const overview = openOverviewWatch(overviews);
  const server = await createServer({
    application,
    settings,
    log,
    ...path,
    subscribers,
    operator,
    overview,
    metrics,
  });
  let health: MetricsServer | undefined;
  const stop = stopOnce(async () => {
    // Node closes idle connections once when closing begins, but not those that become idle afterwards.
    const sweep = setInterval(() => server.server.closeIdleConnections(), SWEEP_MS);
    await server.close().finally(() => clearInterval(sweep));
    const parts = [path, audit, subscribers, overview];
    await stopAll(health === undefined ? parts : [...parts, health]);
  });
  let url: string;
  try {
    url = await listen(server, settings);
    health = await serveReadiness(metrics, path, application.queues, settings);
  } catch (error) {
    await stop();
    throw error;
  }
  log.info({ url, metricsUrl: health?.url }, "API ready");
  return { url, stop };
}

/** Logs what is on record from now on, a change of the API keys included. */
async function startAudit(
  stores: QueueStores,
  { queues }: Application,
  { HOLDFAST_API_KEYS: apiKeys }: Settings,
  log: Logger,
): Promise<Running> {
  const internal = stores.of(INTERNAL_QUEUE);
  const logging = await startAuditLogging([...stores.partitionsOf(queues), internal], log);
  await recordApiKeys(internal, apiKeys, username()).catch((err: unknown) =>
    log.warn({ err }, "a change of API keys is not on record"),
  );
  return logging;
}

/** @returns the server's URL @throws HoldfastError `START_FAILED` */
async function listen(
  server: FastifyInstance,
  { HOLDFAST_HOST: host, HOLDFAST_PORT: port }: Settings,
): Promise<string> {
  await server.listen({ host, port }).catch((error: unknown) => {
    throw cannotListen(host, port, "HOLDFAST_PORT", error);
  });
  const [address] = server.addresses();
  return urlOf(host, typeof address === "object" ? address.port : port);
}
