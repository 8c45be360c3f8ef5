import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { createEvents } from "../../core/events.ts";
import type { Application } from "../../core/job/application.ts";
import { INTERNAL_QUEUE } from "../../core/job/internal-queue.ts";
import { openSubmitPath } from "../../core/submit/submit-path.ts";
import { startAuditLogging } from "../../desk/audit/log-audit.ts";
import { recordApiKeys } from "../../desk/audit/record-api-keys.ts";
import { openRunsElsewhere } from "../../desk/guarded/runs-elsewhere.ts";
import { measureEffects } from "../../desk/job-metrics.ts";
import { openFailureReader } from "../../desk/jobs/failure-groups.ts";
import { openNoticeWatch } from "../../desk/notices/watch-notices.ts";
import { internalSubmitter, noticeSubmitter, openOperator } from "../../desk/operator.ts";
import { openOverviewReader } from "../../desk/overview/read-overview.ts";
import { openOverviewWatch } from "../../desk/overview/watch-overview.ts";
import { measureRole } from "../../desk/role-metrics.ts";
import { features } from "../../features/index.ts";
import { storesOfGuard } from "../../guard/places.ts";
import { type Environment, readSettings, type Settings } from "../../platform/config/settings.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import type { Running } from "../../platform/lib/running.ts";
import { createLogger } from "../../platform/telemetry/create-logger.ts";
import { createMetrics } from "../../platform/telemetry/metrics.ts";
import { openMissedTicks } from "../../roles/schedules/missed-ticks.ts";
import { openScheduleReader } from "../../roles/schedules/read-schedule.ts";
import { openStoredSchedules } from "../../roles/schedules/stored/stored-schedules.ts";
import { measureMissedTicks, measureOverdue } from "../../roles/schedules/tick-metrics.ts";
import { username } from "../username.ts";
import { createOpenRequests } from "./guard/open-requests.ts";
import { createServer } from "./server.ts";
import { openSubscribers } from "./subscribers.ts";

/**
 * Connects an API to Redis, which no client can reach yet.
 *
 * @param isMounted whether the process, its HTTP server and its files are another application's
 * @returns also its parts, to be stopped after the server
 * @throws HoldfastError as `startApi`, except `START_FAILED`
 */
export async function assembleApi(
  application: Application,
  env: Environment | undefined,
  logger: Logger | undefined,
  isMounted: boolean,
) {
  const metrics = createMetrics();
  const events = createEvents();
  measureEffects(events, metrics, application.jobs.values());
  const configured = readSettings(env);
  const log = logger ?? createLogger(configured.HOLDFAST_LOG_LEVEL, "api");
  const startNotices = openNoticeWatch(application, env);
  const path = await openSubmitPath(application, configured, features, {
    log,
    events,
    as: isMounted ? "guest" : "role",
  });
  const settings = { ...configured, HOLDFAST_DURABILITY: path.durability };
  measureRole(metrics, { application, connected: path, events });
  const missedTicks = openMissedTicks(openScheduleReader(path.stores, settings));
  measureMissedTicks(metrics, missedTicks, application.schedules, path.clock);
  measureOverdue(metrics, openStoredSchedules(path.stores, application, settings), path.clock);
  const audit = await startAudit(path.stores, application, settings, log);
  const failures = openFailureReader();
  const overviews = openOverviewReader({ ...path, application, settings, failures });
  const runs = openRunsElsewhere(path, settings, log);
  const submitNotice = noticeSubmitter(path, settings);
  const operator = openOperator({
    application,
    stores: path.stores,
    settings,
    submitAct: internalSubmitter(path, settings),
    submitNotice,
    submit: path.submitter.submit,
    submitOwn: path.submitter.submitOwn,
    runs,
    events,
    overviews,
    failures,
  });
  const subscribers = openSubscribers(path.stores, { max: settings.HOLDFAST_SUBSCRIBERS_MAX });
  const overview = openOverviewWatch(overviews);
  const openRequests = createOpenRequests();
  const used = {
    application,
    settings,
    log,
    ...path,
    subscribers,
    openRequests,
    operator,
    overview,
    metrics,
  };
  const server = await createServer(used, isMounted);
  const noticing = startNotices({ ...path, application, settings, submitOwn: submitNotice, log, failures });
  const parts: readonly Running[] = [path, audit, subscribers, overview, runs, ...noticing];
  return { server, path, settings, metrics, log, parts, openRequests };
}

/** Logs what is on record from now on, a change of the API keys included. */
async function startAudit(
  stores: QueueStores,
  { queues }: Application,
  { HOLDFAST_API_KEYS: apiKeys }: Settings,
  log: Logger,
): Promise<Running> {
  const internal = stores.of(INTERNAL_QUEUE);
  const logging = await startAuditLogging(
    [...stores.partitionsOf(queues), internal, ...storesOfGuard(stores)],
    log,
  );
  await recordApiKeys(internal, apiKeys, username()).catch((err: unknown) =>
    log.warn({ err }, "a change of API keys is not on record"),
  );
  return logging;
}
