import type { IncomingMessage, ServerResponse } from "node:http";
import type { Application } from "../../../core/job/application.ts";
import { type Environment, readSettings } from "../../../platform/config/settings.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { WithLogger } from "../../../platform/lib/logger.ts";
import { type Running, stopAll, stopOnce } from "../../../platform/lib/running.ts";
import { assembleApi } from "../assemble-api.ts";
import { PROBLEM_TYPE } from "../body/problem.ts";
import { createOpenRequests } from "../guard/open-requests.ts";
import { setBasePath } from "./base-path.ts";
import { openFetch } from "./fetch-handler.ts";
import { locate, type MountedPath, type RoutedRequest, readPrefix } from "./mounted-path.ts";
import { watchHost } from "./watch-host.ts";

export interface HandlerOptions extends WithLogger {
  /**
   * The whole path at which clients see it. Requests for other paths are left to the application. Another handler for the same
   * store has it in this process only after this one has stopped.
   *
   * @default none: every request that reaches the handler is its own
   * @example "/jobs-admin"
   */
  readonly prefix?: string;
  /** The variables. @default process.env */
  readonly env?: Environment;
}

/** The API, the console and the reference, to be mounted in an application of one's own. */
export interface Handler extends Running {
  /**
   * Serves a request of `node:http`, Express or another framework that is built on them.
   *
   * @param next called for what is outside of the prefix; without it the answer is 404 then
   */
  readonly node: (request: IncomingMessage, response: ServerResponse, next?: () => void) => void;
  /**
   * Serves a `Request`. The answer streams where the API streams, and its body must be read or cancelled.
   *
   * It cannot see where a request comes from: without API keys, the application must not listen beyond this machine.
   */
  readonly fetch: (request: Request) => Promise<Response>;
  /**
   * Ends event streams, finishes what is being answered, for 10 s at most, and disconnects from Redis. From then on it answers 503. The
   * application's server and its connections stay. When that server closes, event streams end without this call.
   */
  readonly stop: Running["stop"];
}

/** How long requests may take to end while it stops. */
const STOP_MS = 10_000;

/** Path and store of the handlers that have not stopped. */
const mounted = new Set<string>();

/**
 * Connects to Redis, and makes a handler of `holdfast api`'s routes for a server of one's own.
 *
 * @param application the default export of `holdfast.config.ts`
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`
 * @example
 * const jobs = await createHandler(application, { prefix: "/jobs-admin" });
 * express().use(jobs.node).listen(3000);
 */
export async function createHandler(
  application: Application,
  options: HandlerOptions = {},
): Promise<Handler> {
  const prefix = readPrefix(options.prefix ?? "");
  const leave = enter(prefix, options.env);
  try {
    return await open(application, options, prefix, leave);
  } catch (error) {
    leave();
    throw error;
  }
}

/** Without a prefix, the application's router decides on the path. @returns what makes room for another one */
function enter(prefix: string, env: Environment | undefined): () => void {
  if (prefix === "") return () => {};
  const { HOLDFAST_PREFIX, REDIS_URL, HOLDFAST_DATA_DIR } = readSettings(env);
  const place = [prefix, HOLDFAST_PREFIX, REDIS_URL ?? HOLDFAST_DATA_DIR].join(" ");
  if (mounted.has(place)) throw mountedTwice(prefix);
  mounted.add(place);
  return () => mounted.delete(place);
}

/** @param leave is called when it has stopped */
async function open(
  application: Application,
  { env, logger }: HandlerOptions,
  prefix: string,
  leave: () => void,
): Promise<Handler> {
  const { server, parts, log, openRequests } = await assembleApi(application, env, logger, true);
  // Node waits for these when a server closes, but this server is not ours to close.
  const unanswered = createOpenRequests(STOP_MS);
  const host = watchHost(openRequests);
  const answer = openFetch((request, response) => node(request, response));
  let isStopping = false;

  function node(request: RoutedRequest, response: ServerResponse, next?: () => void): void {
    const found = locate(request, prefix);
    if (found === undefined && next !== undefined) next();
    else if (found === undefined) refuse(response, notFound());
    else if (isStopping) refuse(response, stopping());
    else serve(request, response, found);
  }

  function serve(request: RoutedRequest, response: ServerResponse, { base, url }: MountedPath): void {
    setBasePath(request, base);
    request.originalUrl ??= request.url;
    request.url = url;
    keepUntilAnswered(response);
    host.noticeServer(request);
    server.routing(request, response);
  }

  /** From its turn on: where its connection closes before, a response never does. */
  function keepUntilAnswered(response: ServerResponse): void {
    if (response.socket === null) response.once("socket", () => unanswered.keepOpen(response, () => {}));
    else unanswered.keepOpen(response, () => {});
  }

  const stop = stopOnce(async () => {
    isStopping = true;
    try {
      await host.stop();
      await server.close();
      await unanswered.stop();
      await stopAll(parts);
    } finally {
      leave();
    }
  });
  log.info({ prefix }, "API mounted");
  function fetch(request: Request): Promise<Response> {
    if (!isStopping) host.noticeSignals();
    return answer(request);
  }
  return { node, fetch, stop };
}

function mountedTwice(prefix: string): HoldfastError {
  const advice = "use that handler, which can serve several servers, stop it first, or choose another prefix";
  return new HoldfastError(
    "CONFIG_INVALID",
    `prefix: ${prefix} is mounted already in this process; ${advice}`,
  );
}

function notFound(): HoldfastError {
  return new HoldfastError("ROUTE_NOT_FOUND", "There is nothing at this path");
}

function stopping(): HoldfastError {
  const message = "Holdfast is stopping in this process; the request is safe to send again";
  return new HoldfastError("STORE_UNAVAILABLE", message, { retryAfterMs: 1_000 });
}

function refuse(response: ServerResponse, error: HoldfastError): void {
  const body = JSON.stringify(error.toProblem());
  response.writeHead(error.statusCode, {
    "Content-Type": PROBLEM_TYPE,
    "Content-Length": Buffer.byteLength(body),
    ...(error.retryAfterMs !== undefined && { "Retry-After": Math.ceil(error.retryAfterMs / 1_000) }),
  });
  response.end(body);
}
