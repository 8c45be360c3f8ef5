import type { FastifyInstance, FastifyRequest } from "fastify";
import { isTraced, type RequestSpan, startRequestSpan } from "../../platform/telemetry/tracing.ts";

/** Makes each request a span of the trace in its `traceparent` header, and names the span in `traceresponse`. */
export function traceRequests(server: FastifyInstance): void {
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
