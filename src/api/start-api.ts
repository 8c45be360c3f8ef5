import { type Environment, readSettings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import { effectCounter } from "../effect/effect-metrics.ts";
import { createLogger } from "../observe/logger.ts";
import { createMetrics, type Metrics } from "../observe/metrics.ts";
import { openOperator } from "../operate/operator.ts";
import { cannotListen, urlOf } from "../service/listening.ts";
import { type Running, stopAll, stopOnce } from "../service/running.ts";
import { openFollowers } from "../status/follow-jobs.ts";
import { openSubmitPath } from "../submit/submit-path.ts";
import { measureClock, measureStore } from "../watch/store-metrics.ts";
import { openOverviewWatch } from "../watch/watch-overview.ts";
import { createServer } from "./server.ts";

const SWEEP_MS = 100;

/** A listening API. */
export interface Api extends Running {
  /** Where it listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string;
}

/**
 * Starts the HTTP API.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`, `START_FAILED` when the port is taken
 */
export function startApi(application: Application, env?: Environment): Promise<Api> {
  return startApiTelling(createMetrics(), application, env);
}

/** The same, where it is for others to say how its metrics are told. */
export async function startApiTelling(
  metrics: Metrics,
  application: Application,
  env?: Environment,
): Promise<Api> {
  const settings = readSettings(env);
  const log = createLogger(settings.LOG_LEVEL, "api");
  const path = await openSubmitPath(application, settings, log, metrics);
  measureStore(metrics, { ...path, prefix: settings.HOLDFAST_PREFIX, queues: application.queues });
  measureClock(metrics, path.clock);
  const countEffect = effectCounter(metrics, application.jobs.values());
  const operator = openOperator(application, path, settings, countEffect);
  const followers = openFollowers({
    ...path,
    prefix: settings.HOLDFAST_PREFIX,
    max: settings.HOLDFAST_FOLLOWERS_MAX,
  });
  const overview = openOverviewWatch({
    client: path.client,
    prefix: settings.HOLDFAST_PREFIX,
    queues: application.queues,
    durability: settings.HOLDFAST_DURABILITY,
    clock: path.clock,
  });
  const server = await createServer({
    application,
    settings,
    log,
    ...path,
    followers,
    operator,
    overview,
    metrics,
  });
  const stop = stopOnce(async () => {
    // A connection that had a request when the stop began is not closed for being idle after it, but kept alive.
    const sweep = setInterval(() => server.server.closeIdleConnections(), SWEEP_MS);
    await server.close().finally(() => clearInterval(sweep));
    await stopAll([path, followers, overview]);
  });
  try {
    await server.listen({ host: settings.HOST, port: settings.PORT });
  } catch (error) {
    await stop();
    throw cannotListen(settings.HOST, settings.PORT, "PORT", error);
  }
  const [address] = server.addresses();
  const url = urlOf(settings.HOST, typeof address === "object" ? address.port : settings.PORT);
  log.info({ url }, "API ready");
  return { url, stop };
}
