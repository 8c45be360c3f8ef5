import type { FastifyInstance } from "fastify";
import type { Application } from "../../core/job/application.ts";
import type { MetricsServer } from "../../desk/metrics-server.ts";
import { serveReadiness } from "../../desk/readiness.ts";
import type { Environment, Settings } from "../../platform/config/settings.ts";
import { cannotListen, urlOf } from "../../platform/lib/hosts.ts";
import type { WithLogger } from "../../platform/lib/logger.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { assembleApi } from "./assemble-api.ts";

const SWEEP_MS = 100;

/** A running API. */
export interface Api extends Running {
  /** Where it listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string;
}

/**
 * Starts the HTTP API.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param env the variables @default process.env
 * @param options where it logs
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`,
 *   `START_FAILED` if the port is in use
 */
export async function startApi(
  application: Application,
  env?: Environment,
  { logger }: WithLogger = {},
): Promise<Api> {
  const api = await assembleApi(application, env, logger, false);
  const { server, path, settings, metrics, log } = api;
  let health: MetricsServer | undefined;
  const stop = stopOnce(async () => {
    // Node closes idle connections once when closing begins, but not those that become idle afterwards.
    const sweep = setInterval(() => server.server.closeIdleConnections(), SWEEP_MS);
    await server.close().finally(() => clearInterval(sweep));
    await stopAll(health === undefined ? api.parts : [...api.parts, health]);
  });
  let url: string;
  try {
    url = await listen(server, settings);
    health = await serveReadiness(metrics, path, application.queues, settings);
  } catch (error) {
    await stop();
    throw error;
  }
  log.info({ url, metricsUrl: health?.url }, "API ready");
  return { url, stop };
}

/** @returns the server's URL @throws HoldfastError `START_FAILED` */
async function listen(
  server: FastifyInstance,
  { HOLDFAST_HOST: host, HOLDFAST_PORT: port }: Settings,
): Promise<string> {
  await server.listen({ host, port }).catch((error: unknown) => {
    throw cannotListen(host, port, "HOLDFAST_PORT", error);
  });
  const [address] = server.addresses();
  return urlOf(host, typeof address === "object" ? address.port : port);
}
