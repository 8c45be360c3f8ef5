import type { FastifyInstance } from "fastify";
import { METRICS_TYPE } from "../../../platform/telemetry/metrics.ts";
import { httpMetrics } from "../http-metrics.ts";
import type { ApiParts } from "../parts.ts";

/** `GET /metrics`, for Prometheus. It answers even while Redis is away. */
export function addMetricsRoute(server: FastifyInstance, { metrics, subscribers }: ApiParts): void {
  const subscribersNow = metrics.of(httpMetrics).gauge("holdfast_subscribers");
  metrics.beforeScrape(() => subscribersNow.set(subscribers.count));
  server.get(
    "/metrics",
    {
      // Costs nothing, because counting needs Redis.
      config: { scope: "read", cost: 0 },
      schema: {
        operationId: "readMetrics",
        summary: "Metrics for Prometheus",
        description: "While Redis is away, `holdfast_store_up` is 0 and metrics read from Redis are absent.",
        tags: ["health"],
        response: { 200: { description: "Text exposition format", type: "string" } },
      },
    },
    async (_request, reply) =>
      reply
        .type(METRICS_TYPE)
        .serializer(String)
        .send(await metrics.scrape()),
  );
}
