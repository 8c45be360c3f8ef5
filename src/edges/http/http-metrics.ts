import type { FastifyInstance } from "fastify";
import type { Metrics } from "../../platform/telemetry/metrics.ts";

/** Counts and times requests by their route's pattern: paths and methods that clients invent add no series. */
export function measureRequests(server: FastifyInstance, metrics: Metrics): void {
  const requests = metrics.tally("holdfast_http_requests_total");
  const durations = metrics.histogram("holdfast_http_request_duration_seconds");
  server.addHook("onResponse", (request, reply, done) => {
    const route = request.is404 ? undefined : request.routeOptions.url;
    const labels = route === undefined ? { route: "none", method: "any" } : { route, method: request.method };
    requests([labels.route, labels.method, reply.statusCode]);
    durations.observe(labels, reply.elapsedTime / 1_000);
    done();
  });
}
