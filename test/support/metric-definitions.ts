import { metricDefinitions } from "../../src/desk/metric-definitions.ts";
import { outboxMetrics } from "../../src/desk/outbox/outbox-metrics.ts";
import { httpMetrics } from "../../src/edges/http/http-metrics.ts";
import { tickMetrics } from "../../src/roles/schedules/tick-metrics.ts";

/** All metrics of Holdfast, by name. */
export const everyMetric = { ...metricDefinitions, ...tickMetrics, ...outboxMetrics, ...httpMetrics };
