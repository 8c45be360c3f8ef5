import type { FastifyInstance, FastifyRequest } from "fastify";
import { type Caller, scopes as everyScope } from "../../config/api-keys.ts";
import { unauthenticated } from "../access.ts";
import type { Sessions } from "../sessions.ts";

/**
 * `/session`: the console's signing in and out, and what it may do.
 *
 * Beside the console and not under it, so that the cookie, by the folder it comes from, goes to all routes.
 *
 * @param sessions undefined where no keys are configured
 */
export function addSessionRoutes(server: FastifyInstance, sessions: Sessions | undefined): void {
  const described = { schema: { hide: true } };

  server.get("/session", { config: { scope: "any", cost: 0 }, ...described }, async (request, reply) =>
    reply.header("Cache-Control", "no-store").send(callerOf(request)),
  );

  server.post("/session", { config: { scope: "any", cost: 0 }, ...described }, async (request, reply) => {
    if (sessions !== undefined && request.apiKey !== undefined) {
      // Only with the key itself: a session that could open the next one would never end.
      if (request.headers.authorization === undefined) throw unauthenticated();
      reply.header("Set-Cookie", await sessions.open(request.apiKey, cameOverHttps(request)));
    }
    return reply.header("Cache-Control", "no-store").send(callerOf(request));
  });

  server.delete("/session", { config: { scope: "public" }, ...described }, async (_request, reply) => {
    if (sessions !== undefined) reply.header("Set-Cookie", sessions.close());
    return reply.code(204).send();
  });
}

function callerOf({ apiKey }: FastifyRequest): Caller {
  return { name: apiKey?.name ?? null, scopes: apiKey === undefined ? everyScope : [...apiKey.scopes] };
}

/** The browser's word for it, or the proxy's: whoever lies about that only loses a cookie of their own. */
function cameOverHttps({ headers }: FastifyRequest): boolean {
  const proxied = String(headers["x-forwarded-proto"] ?? "").split(",")[0];
  return proxied?.trim() === "https" || headers.origin?.startsWith("https://") === true;
}
