import type { ConnectedQueues } from "../core/bullmq/store/connect-queues.ts";
import type { Events } from "../core/events.ts";
import type { Application } from "../core/job/application.ts";
import type { Settings } from "../platform/config/settings.ts";
import type { Running } from "../platform/lib/running.ts";
import { createMetrics, type Metrics } from "../platform/telemetry/metrics.ts";
import { measureSubmissions } from "./job-metrics.ts";
import type { MetricsServer } from "./metrics-server.ts";
import { measureClock, measureRedis } from "./overview/queue-metrics.ts";
import { serveReadiness } from "./readiness.ts";

/** A role that can serve metrics. */
export interface MeasuredRole extends Running {
  /** Undefined unless `HOLDFAST_METRICS_PORT` is set. */
  readonly metricsUrl: string | undefined;
}

export interface MeasuredParts {
  readonly application: Application;
  readonly connected: ConnectedQueues;
  readonly settings: Settings;
  readonly events: Events;
}

/**
 * Serves a role's metrics, and whether it is ready.
 *
 * @param measureOwn measures what only this role does
 * @returns undefined unless `HOLDFAST_METRICS_PORT` is set: then nothing is measured either
 * @throws HoldfastError `START_FAILED` when the port is in use
 * @internal The published types name no package that is built in.
 */
export async function serveMetrics(
  parts: MeasuredParts,
  measureOwn: (metrics: Metrics) => void,
): Promise<MetricsServer | undefined> {
  const { application, connected, settings } = parts;
  if (settings.HOLDFAST_METRICS_PORT === undefined) return undefined;
  const metrics = createMetrics();
  measureRole(metrics, parts);
  measureOwn(metrics);
  return await serveReadiness(metrics, connected, application.queues, settings);
}

/** Measures what each role does. @internal The published types name no package that is built in. */
export function measureRole(
  metrics: Metrics,
  { application, connected, events }: Omit<MeasuredParts, "settings">,
): void {
  measureSubmissions(events, metrics, [...application.jobs.keys()]);
  measureRedis(metrics, connected.stores, application.queues);
  measureClock(metrics, connected.clock);
}
