import type { IncomingHttpHeaders } from "node:http";
import fastify, { type FastifyInstance, type FastifyReply, type FastifyRequest } from "fastify";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import { isTraced, type RequestSpan, startRequestSpan } from "../../platform/telemetry/tracing.ts";
import { readJsonBodies } from "./body/json-body.ts";
import { asHoldfastError, PROBLEM_TYPE, prepareProblem } from "./body/problem.ts";
import { addConsole } from "./console.ts";
import { addDocs } from "./docs.ts";
import { guardRoutes } from "./guard/access.ts";
import { guardHosts, hostGuardOf } from "./guard/allowed-hosts.ts";
import { boundBodies } from "./guard/body-budget.ts";
import { createConnections, requireOneOfEach } from "./guard/connections.ts";
import { limitRates } from "./guard/rate-limits.ts";
import { openSessions } from "./guard/sessions.ts";
import { boundUnread } from "./guard/slow-readers.ts";
import { dropGivenUp, takeTurns } from "./guard/turns.ts";
import { measureRequests } from "./http-metrics.ts";
import { watchMethods } from "./methods.ts";
import { readHostBodies } from "./mount/host-bodies.ts";
import { addOperations } from "./operations.ts";
import type { ApiParts } from "./parts.ts";
import { addExportRoutes } from "./routes/export-jobs.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addJobStatusRoute } from "./routes/job-status.ts";
import { addMetricsRoute } from "./routes/metrics.ts";
import { addOverviewRoutes } from "./routes/overview.ts";
import { addSessionRoutes } from "./routes/session.ts";
import { addBatchRoute } from "./routes/submit-batch.ts";
import { addSubmitRoute } from "./routes/submit-job.ts";
import { addJointRoutes } from "./routes/submit-together.ts";

const BODY_MAX_BYTES = 1_048_576;
const REQUEST_MAX_MS = 10_000;

/**
 * Builds the server with all routes. It does not listen yet.
 *
 * @param isMounted whether it gets its requests from another application's server, whose connections it leaves alone
 */
export async function createServer(parts: ApiParts, isMounted = false): Promise<FastifyInstance> {
  const connections = createConnections();
  const hostGuard = hostGuardOf(parts.settings, isMounted);
  const server = fastify({
    bodyLimit: BODY_MAX_BYTES,
    // Fastify sets no time-outs, so a slow client could keep its connection for ever. Node applies the longer of these two.
    requestTimeout: REQUEST_MAX_MS,
    http: {
      headersTimeout: REQUEST_MAX_MS,
      connectionsCheckingInterval: 1_000,
      // Even if NODE_OPTIONS asks for it: lenient parsing enables request smuggling.
      insecureHTTPParser: false,
      // We check it ourselves, and answer with a problem.
      requireHostHeader: false,
    },
    connectionTimeout: 60_000,
    keepAliveTimeout: 30_000,
    forceCloseConnections: "idle",
    return503OnClosing: false,
    // As long as a request line can be, so that an absurd id is an unknown job.
    routerOptions: { maxParamLength: 16_384 },
    frameworkErrors: (error, { raw }, reply) => sendProblem(parts.log, hostGuard(raw) ?? error, reply),
    clientErrorHandler: connections.refuse,
  });
  // Route schemas only describe; each stage checks its own input.
  server.setValidatorCompiler(() => () => true);
  server.setSerializerCompiler(() => JSON.stringify);
  server.setErrorHandler((error, _request, reply) => sendProblem(parts.log, error, reply));
  server.setNotFoundHandler((_request, reply) =>
    sendProblem(parts.log, new HoldfastError("ROUTE_NOT_FOUND", "There is nothing at this path"), reply),
  );
  if (isMounted) readHostBodies(server);
  else connections.watch(server);
  server.addHook("preClose", parts.openRequests.stop);
  keepFromCaches(server);
  takeTurns(server);
  requireOneOfEach(server);
  guardHosts(server, hostGuard);
  boundUnread(server);
  traceRequests(server);
  measureRequests(server, parts.metrics);
  const sessions = openSessions(parts);
  guardRoutes(server, parts.settings.HOLDFAST_API_KEYS, sessions);
  limitRates(server, parts);
  boundBodies(server);
  readJsonBodies(server);
  dropGivenUp(server);
  const refuseOtherMethods = watchMethods(server);
  await addDocs(server);
  await addConsole(server);
  await addRoutes(server, parts);
  addSessionRoutes(server, sessions);
  refuseOtherMethods();
  await server.ready();
  return server;
}

/** All but those of sessions. */
async function addRoutes(server: FastifyInstance, parts: ApiParts): Promise<void> {
  addSubmitRoute(server, parts);
  addBatchRoute(server, parts);
  await addJointRoutes(server, parts);
  addJobStatusRoute(server, parts);
  addExportRoutes(server, parts);
  addOperations(server, parts);
  addOverviewRoutes(server, parts);
  addMetricsRoute(server, parts);
  addHealthRoutes(server, parts);
}

function sendProblem(log: Logger, thrown: unknown, reply: FastifyReply): FastifyReply {
  const error = asHoldfastError(thrown);
  const problem = prepareProblem(log, error, reply);
  // Closing while the client still sends would reset the connection and lose the answer.
  if (!reply.request.raw.complete && hasBody(reply.request.headers)) reply.header("Connection", "keep-alive");
  return reply.code(error.statusCode).type(PROBLEM_TYPE).serializer(JSON.stringify).send(problem);
}

function hasBody(headers: IncomingHttpHeaders): boolean {
  return headers["transfer-encoding"] !== undefined || Number(headers["content-length"] ?? 0) !== 0;
}

/** What is so now may be otherwise in a moment. Documents and pages say themselves how long they are kept. */
function keepFromCaches(server: FastifyInstance): void {
  server.addHook("onRequest", (_request, reply, done) => {
    reply.header("Cache-Control", "no-store");
    done();
  });
}

/** Makes each request a span of the trace in its `traceparent` header, and names the span in `traceresponse`. */
function traceRequests(server: FastifyInstance): void {
  if (!isTraced()) return;
  const spans = new WeakMap<FastifyRequest, RequestSpan>();
  server.addHook("onRequest", (request, reply, done) => {
    const span = startRequestSpan(request.method, pathOf(request.url), request.headers);
    if (span === undefined) return done();
    spans.set(request, span);
    reply.header("traceresponse", span.header);
    span.run(done);
  });
  server.addHook("onResponse", (request, reply, done) => {
    spans.get(request)?.end(reply.statusCode, request.routeOptions.url);
    done();
  });
}

function pathOf(url: string): string {
  const end = url.indexOf("?");
  return end < 0 ? url : url.slice(0, end);
}
