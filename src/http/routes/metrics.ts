import type { FastifyInstance } from "fastify";
import { METRICS_TYPE } from "../../telemetry/metrics.ts";
import type { ApiParts } from "../parts.ts";

/** `GET /metrics`: for Prometheus. It answers also while the store is away, and tells that. */
export function addMetricsRoute(server: FastifyInstance, { metrics, subscribers }: ApiParts): void {
  const subscribersNow = metrics.gauge("holdfast_subscribers");
  metrics.beforeScrape(() => subscribersNow.set(subscribers.count));
  server.get(
    "/metrics",
    {
      // It answers while the store is away; counting could not.
      config: { scope: "read", cost: 0 },
      schema: {
        summary: "Metrics for Prometheus",
        description:
          "While the store is away `holdfast_store_up` is 0, and what would be read from it is absent.",
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
