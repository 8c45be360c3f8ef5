import type { Settings } from "../config/settings.ts";
import { type CountEffect, effectCounter } from "../effect/effect-metrics.ts";
import type { Application } from "../job/define-config.ts";
import { measureClock, measureRedis } from "../queue/queue-metrics.ts";
import type { QueueStores } from "../queue/queue-store.ts";
import type { Clock } from "../redis/clock.ts";
import { createMetrics } from "../telemetry/metrics.ts";
import { type MetricsServer, startMetricsServer } from "../telemetry/metrics-server.ts";
import { type AttemptWatch, watchAttempts } from "./attempt-metrics.ts";

/** What a worker tells Prometheus, and where. */
export interface WorkerMetrics extends MetricsServer {
  readonly attempts: AttemptWatch;
  readonly countEffect: CountEffect;
}

/** @returns undefined where `HOLDFAST_METRICS_PORT` is not set: then attempts pay nothing for being measured */
export async function startWorkerMetrics(
  application: Application,
  stores: QueueStores,
  settings: Settings,
  clock: Clock,
): Promise<WorkerMetrics | undefined> {
  if (settings.HOLDFAST_METRICS_PORT === undefined) return undefined;
  const metrics = createMetrics();
  measureRedis(metrics, stores, application.queues);
  measureClock(metrics, clock);
  const attempts = watchAttempts(metrics, [...application.jobs.keys()]);
  const countEffect = effectCounter(metrics, application.jobs.values());
  return { attempts, countEffect, ...(await startMetricsServer(metrics, settings)) };
}
