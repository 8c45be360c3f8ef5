import type { Settings } from "../config/settings.ts";
import type { Application } from "../job/define-config.ts";
import type { ConnectedQueues } from "../queue/connect-queues.ts";
import { measureClock, measureRedis } from "../queue/queue-metrics.ts";
import { serveReadiness } from "../queue/readiness.ts";
import { measureAttempts } from "../telemetry/attempt-metrics.ts";
import { measureEffects } from "../telemetry/effect-metrics.ts";
import type { Events } from "../telemetry/events.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import type { MetricsServer } from "../telemetry/metrics-server.ts";
import { measureSubmissions } from "../telemetry/submission-metrics.ts";

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
  const slotsGauge = metrics.gauge("holdfast_worker_slots");
  for (const [queue, count] of slots) slotsGauge.labels(queue).set(count);
  measureSubmissions(events, metrics, [...application.jobs.keys()]);
  measureEffects(events, metrics, application.jobs.values());
  return await serveReadiness(metrics, connected, application.queues, settings);
}
