import type { FastifyInstance } from "fastify";
import type { Counter, Histogram } from "../telemetry/instruments.ts";
import type { Metrics } from "../telemetry/metrics.ts";

interface Answered {
  readonly count: Counter;
  readonly duration: Histogram;
}

/** Counts and times every request by its route's pattern: paths and methods that clients make up grow no series. */
export function measureRequests(server: FastifyInstance, metrics: Metrics): void {
  const requests = metrics.counter("holdfast_http_requests_total");
  const durations = metrics.histogram("holdfast_http_request_duration_seconds");
  const known = new Map<string, Answered>();

  function answered(route: string, method: string, status: number): Answered {
    const name = `${status} ${method} ${route}`;
    let found = known.get(name);
    if (found === undefined) {
      found = {
        count: requests.labels(route, method, String(status)),
        duration: durations.labels(route, method),
      };
      known.set(name, found);
    }
    return found;
  }

  server.addHook("onResponse", (request, reply, done) => {
    const route = request.is404 ? undefined : request.routeOptions.url;
    const { count, duration } = answered(
      route ?? "none",
      route === undefined ? "any" : request.method,
      reply.statusCode,
    );
    count.inc();
    duration.observe(reply.elapsedTime / 1_000);
    done();
  });
}
