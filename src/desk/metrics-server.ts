import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { inTurn, readInPieces } from "../platform/lib/connections/turns.ts";
import { cannotListen, createHostGuard, type HostGuard, isLoopback, urlOf } from "../platform/lib/hosts.ts";
import { oneAtATime } from "../platform/lib/one-at-a-time.ts";
import { type Running, stopOnce } from "../platform/lib/running.ts";
import { METRICS_TYPE, type Metrics } from "../platform/telemetry/metrics.ts";

/** Serves a role's metrics and health to what watches it. */
export interface MetricsServer extends Running {
  /** E.g. `http://127.0.0.1:9464/metrics`. */
  readonly url: string;
}

export interface MetricsAddress {
  readonly host: string;
  readonly port: number;
  /** From `HOLDFAST_ALLOWED_HOSTS`. */
  readonly allowedHosts: ReadonlySet<string>;
}

/** Why a role can do nothing now; empty when it is ready. */
export type ReadReadiness = () => Promise<readonly string[]>;

const REQUEST_MAX_MS = 5_000;

/**
 * Serves `/metrics`, `/health/live` and `/health/ready`.
 *
 * On loopback it answers to this machine's names and the allowed ones. Elsewhere somebody has opened it to the network, so it
 * answers to every name.
 *
 * @throws HoldfastError `START_FAILED` when the port is in use
 */
export async function startMetricsServer(
  metrics: Metrics,
  { host, port, allowedHosts }: MetricsAddress,
  notReady: ReadReadiness,
): Promise<MetricsServer> {
  const limits = { requestTimeout: REQUEST_MAX_MS, headersTimeout: REQUEST_MAX_MS };
  const guard = isLoopback(host) ? createHostGuard(allowedHosts) : () => undefined;
  const sources = { metrics, notReady: oneAtATime(notReady) };
  const server = createServer(limits, (request, response) => {
    if (hasBody(request)) {
      refuseBody(request, response);
      return;
    }
    inTurn(request, response, () => {
      void answerTo(request, sources, guard).then((answer) => send(response, answer));
    });
  });
  server.on("connection", readInPieces);
  server.listen(port, host);
  await once(server, "listening").catch((error: unknown) => {
    throw cannotListen(host, port, "HOLDFAST_METRICS_PORT", error);
  });
  const address = server.address();
  const bound = address !== null && typeof address === "object" ? address.port : port;
  return {
    url: `${urlOf(host, bound)}/metrics`,
    stop: stopOnce(async () => {
      const closed = once(server, "close");
      server.close();
      server.closeAllConnections();
      await closed;
    }),
  };
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
}

/** Nobody reads it, and to throw it away takes memory: 15 kB with each request, on fifty connections, took 77 MiB. */
function refuseBody({ socket }: IncomingMessage, response: ServerResponse): void {
  // Others are answered before it.
  if (response.socket === null) socket.destroy();
  else send(response.setHeader("connection", "close"), plain(400, "Expected no body\n"));
}

interface Answer {
  readonly status: number;
  readonly type: string;
  readonly body: string;
}

function send(response: ServerResponse, { status, type, body }: Answer): void {
  response.writeHead(status, {
    "content-type": type,
    "content-length": Buffer.byteLength(body),
    "cache-control": "no-store",
    ...(status === 405 && { allow: "GET, HEAD" }),
  });
  response.end(body); // Node.js sends no body for HEAD
}

async function answerTo(
  request: IncomingMessage,
  { metrics, notReady }: { readonly metrics: Metrics; readonly notReady: ReadReadiness },
  guard: HostGuard,
): Promise<Answer> {
  const { method, url = "" } = request;
  const stranger = guard(request);
  if (stranger !== undefined) return plain(stranger.statusCode, `${stranger.message}\n`);
  if (method !== "GET" && method !== "HEAD") return plain(405, "Expected GET or HEAD\n");
  const [path] = url.split("?");
  if (path === "/metrics") return { status: 200, type: METRICS_TYPE, body: await metrics.scrape() };
  if (path === "/health/live") return json(200, { status: "live" });
  if (path === "/health/ready") {
    const reasons = await notReady();
    return reasons.length === 0
      ? json(200, { status: "ready", reasons })
      : json(503, { status: "not ready", reasons });
  }
  return plain(404, "This server has /metrics, /health/live and /health/ready only\n");
}

function json(status: number, body: object): Answer {
  return { status, type: "application/json", body: JSON.stringify(body) };
}

function plain(status: number, body: string): Answer {
  return { status, type: "text/plain; charset=utf-8", body };
}
