// Describes the HTTP API from its routes, without listening and without Redis.

/** The OpenAPI document, as `GET /openapi.json` returns it. */
export async function describeApi() {
  const { createServer } = await import("../../build/edges/http/server.js");
  const { readSettings } = await import("../../build/platform/config/settings.js");
  const { loadApplication } = await import("../../build/edges/cli/load-application.js");
  const { createLogger } = await import("../../build/platform/telemetry/create-logger.js");
  const { createMetrics } = await import("../../build/platform/telemetry/metrics.js");

  const application = await loadApplication("holdfast.config.ts");
  const inert = {
    client: {},
    submitter: { steps: { openAdder: () => {} } },
    openRequests: { stop: async () => {} },
    operator: {},
    metrics: createMetrics(),
  };
  const log = createLogger("silent", "docs");
  const server = await createServer({ application, settings: readSettings({}), log, ...inert });
  const description = server.swagger();
  await server.close();
  return description;
}
