import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] as const;

/** Records the routes that are added. The returned function answers every other method on their paths with 405. */
export function watchMethods(server: FastifyInstance): () => void {
  const methodsOf = new Map<string, Set<string>>();
  server.addHook("onRoute", ({ url, method }) => {
    const methods = methodsOf.get(url) ?? new Set();
    for (const name of [method].flat()) methods.add(name);
    methodsOf.set(url, methods);
  });
  return () => {
    for (const [url, allowed] of [...methodsOf]) refuseOthers(server, url, allowed);
  };
}

function refuseOthers(server: FastifyInstance, url: string, allowed: ReadonlySet<string>): void {
  // Fastify answers HEAD wherever it answers GET.
  const refused = METHODS.filter(
    (method) => !allowed.has(method) && !(method === "HEAD" && allowed.has("GET")),
  );
  if (refused.length === 0) return;
  const expected = [...allowed].sort().join(", ");
  // In onRequest, so that the body is not read.
  const refuse = async (_request: FastifyRequest, reply: FastifyReply) => {
    reply.header("Allow", expected);
    throw new HoldfastError("METHOD_NOT_ALLOWED", `Expected ${expected}`);
  };
  server.route({
    method: refused,
    url,
    schema: { hide: true },
    config: { scope: "public" },
    onRequest: refuse,
    handler: refuse,
  });
}
