import type { ConnectedQueues } from "../core/bullmq/store/connect-queues.ts";
import type { Events } from "../core/events.ts";
import type { Application } from "../core/job/application.ts";
import type { Settings } from "../platform/config/settings.ts";
import { createMetrics } from "../platform/telemetry/metrics.ts";
import { measureAttempts, measureEffects, measureSubmissions } from "./job-metrics.ts";
import { metricDefinitions } from "./metric-definitions.ts";
import type { MetricsServer } from "./metrics-server.ts";
import { measureClock, measureRedis } from "./overview/queue-metrics.ts";
import { serveReadiness } from "./readiness.ts";

/**
 * @param slots how many attempts this worker may run at a time, by queue
 * @returns undefined unless `HOLDFAST_METRICS_PORT` is set; then attempts cost nothing to measure
 */
export async function startWorkerMetrics(
  application: Application,
  connected: ConnectedQueues,
  slots: ReadonlyMap<string, number>,
  settings: Settings,
  events: Events,
): Promise<MetricsServer | undefined> {
  if (settings.HOLDFAST_METRICS_PORT === undefined) return undefined;
  const { stores, clock } = connected;
  const metrics = createMetrics();
  measureRedis(metrics, stores, application.queues);
  measureClock(metrics, clock);
  measureAttempts(events, metrics, application.jobs);
  const slotsGauge = metrics.of(metricDefinitions).gauge("holdfast_worker_slots");
  for (const [queue, count] of slots) slotsGauge.labels(queue).set(count);
  measureSubmissions(events, metrics, [...application.jobs.keys()]);
  measureEffects(events, metrics, application.jobs.values());
  return await serveReadiness(metrics, connected, application.queues, settings);
}
