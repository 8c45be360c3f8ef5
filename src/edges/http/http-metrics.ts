import type { FastifyInstance } from "fastify";
import type { MetricDefinitions, Metrics } from "../../platform/telemetry/metrics.ts";

export const httpMetrics = {
  holdfast_http_requests_total: {
    kind: "counter",
    labels: ["route", "method", "status"],
    help: "Answered requests by the pattern of their route.",
    reportedBy: ["api"],
  },
  holdfast_http_request_duration_seconds: {
    kind: "histogram",
    labels: ["route", "method"],
    help: "How long requests took, including waits that clients asked for.",
    reportedBy: ["api"],
    buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10, 60],
  },
  holdfast_subscribers: {
    kind: "gauge",
    labels: [],
    help: "Clients of this process that wait for a job, or stream its states or the overview.",
    reportedBy: ["api"],
  },
} as const satisfies MetricDefinitions;

/** Counts and times requests by their route's pattern: paths and methods that clients invent add no series. */
export function measureRequests(server: FastifyInstance, metrics: Metrics): void {
  const { tally, histogram } = metrics.of(httpMetrics);
  const requests = tally("holdfast_http_requests_total");
  const durations = histogram("holdfast_http_request_duration_seconds");
  server.addHook("onResponse", (request, reply, done) => {
    const route = request.is404 ? undefined : request.routeOptions.url;
    const labels = route === undefined ? { route: "none", method: "any" } : { route, method: request.method };
    requests([labels.route, labels.method, reply.statusCode]);
    durations.observe(labels, reply.elapsedTime / 1_000);
    done();
  });
}
