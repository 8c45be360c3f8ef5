import { type Environment, isLoopback, readSettings } from "../config/settings.ts";
import type { Application } from "../contract/define-config.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { createLogger } from "../observe/logger.ts";
import { openOperator } from "../operate/operator.ts";
import { type Running, stopAll, stopOnce } from "../service/running.ts";
import { openFollowers } from "../status/follow-jobs.ts";
import { openSubmitPath } from "../submit/submit-path.ts";
import { createServer } from "./server.ts";

/** A listening API. */
export interface Api extends Running {
  /** Where it listens, e.g. `http://127.0.0.1:3000`. */
  readonly url: string;
}

/**
 * Starts the HTTP API.
 *
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_UNFIT`, `START_FAILED` when the port is taken
 */
export async function startApi(application: Application, env?: Environment): Promise<Api> {
  const settings = readSettings(env);
  const log = createLogger(settings.LOG_LEVEL, "api");
  const path = await openSubmitPath(application, settings, log);
  const operator = openOperator(application, path.client, settings);
  const followers = openFollowers({
    client: path.client,
    prefix: settings.HOLDFAST_PREFIX,
    max: settings.HOLDFAST_FOLLOWERS_MAX,
  });
  const server = await createServer({
    application,
    settings,
    log,
    ...path,
    followers,
    operator,
  });
  const stop = stopOnce(async () => {
    await server.close();
    await stopAll([path, operator, followers]);
  });
  try {
    await server.listen({ host: settings.HOST, port: settings.PORT });
  } catch (error) {
    await stop();
    throw cannotListen(settings.HOST, settings.PORT, error);
  }
  const [address] = server.addresses();
  const url = urlOf(settings.HOST, typeof address === "object" ? address.port : settings.PORT);
  log.info({ url }, "API ready");
  return { url, stop };
}

function urlOf(host: string, port: number): string {
  const name = host === "::1" || host.includes(":") ? `[${host}]` : host;
  return `http://${isLoopback(host) ? name : "127.0.0.1"}:${port}`;
}

function cannotListen(host: string, port: number, cause: unknown): HoldfastError {
  const reason = cause instanceof Error && "code" in cause ? String(cause.code) : "unknown reason";
  const hint = reason === "EADDRINUSE" ? "; another process listens there: stop it, or set PORT" : "";
  return new HoldfastError("START_FAILED", `Cannot listen on ${host} port ${port} (${reason})${hint}`, {
    cause,
  });
}
