import type { FastifyInstance } from "fastify";
import { Gauge, Registry } from "prom-client";
import type { ApiParts } from "../parts.ts";
import { problemResponses } from "../problem.ts";

/** `GET /metrics`: for Prometheus. What it tells is read from the store at each scrape. */
export function addMetricsRoute(server: FastifyInstance, { operator, followers }: ApiParts): void {
  const registry = new Registry();
  const labelNames = ["queue"];
  const inDoubt = new Gauge({
    name: "holdfast_effects_in_doubt",
    help: "Side effects of which nobody can know whether they happened.",
    labelNames,
    registers: [registry],
  });
  const oldest = new Gauge({
    name: "holdfast_effects_in_doubt_oldest_age_seconds",
    help: "How long the oldest side effect in doubt has been so; 0 where there is none.",
    labelNames,
    registers: [registry],
  });
  new Gauge({
    name: "holdfast_followers",
    help: "Clients that wait for a job at this process, or stream its states.",
    registers: [registry],
    collect() {
      this.set(followers.count);
    },
  });
  server.get(
    "/metrics",
    {
      config: { scope: "read" },
      schema: {
        summary: "Metrics for Prometheus",
        tags: ["health"],
        response: {
          200: { description: "Text exposition format", type: "string" },
          ...problemResponses("STORE_UNAVAILABLE"),
        },
      },
    },
    async (_request, reply) => {
      for (const [queue, { count, oldestAt }] of await operator.doubtCounts()) {
        inDoubt.set({ queue }, count);
        oldest.set({ queue }, oldestAt === undefined ? 0 : (Date.now() - oldestAt) / 1_000);
      }
      return reply
        .type(registry.contentType)
        .serializer(String)
        .send(await registry.metrics());
    },
  );
}
