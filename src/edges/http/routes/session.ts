import type { FastifyInstance, FastifyRequest } from "fastify";
import { type Caller, scopes as everyScope } from "../../../platform/config/api-keys.ts";
import { unauthenticated } from "../guard/access.ts";
import type { Sessions } from "../guard/sessions.ts";

/**
 * `/session`: sign in to the console, sign out, and read who is signed in.
 *
 * Not under `/console/`: browsers send the cookie to every path in the folder that set it.
 *
 * @param sessions undefined if no keys are configured
 */
export function addSessionRoutes(server: FastifyInstance, sessions: Sessions | undefined): void {
  const described = { schema: { hide: true } };

  server.get("/session", { config: { scope: "any", cost: 0 }, ...described }, async (request, reply) =>
    reply.send(callerOf(request)),
  );

  server.post("/session", { config: { scope: "any", cost: 0 }, ...described }, async (request, reply) => {
    if (sessions !== undefined && request.apiKey !== undefined) {
      // A session must not open another one, or it would never end.
      if (request.headers.authorization === undefined) throw unauthenticated();
      reply.header("Set-Cookie", await sessions.open(request.apiKey, cameOverHttps(request)));
    }
    return reply.send(callerOf(request));
  });

  server.delete("/session", { config: { scope: "public" }, ...described }, async (_request, reply) => {
    if (sessions !== undefined) reply.header("Set-Cookie", sessions.close());
    return reply.code(204).send();
  });
}

function callerOf({ apiKey }: FastifyRequest): Caller {
  return { name: apiKey?.name ?? null, scopes: apiKey === undefined ? everyScope : [...apiKey.scopes] };
}

/** According to the browser or the proxy. A client that lies only loses its own cookie. */
function cameOverHttps({ headers }: FastifyRequest): boolean {
  const proxied = String(headers["x-forwarded-proto"] ?? "").split(",")[0];
  return proxied?.trim() === "https" || headers.origin?.startsWith("https://") === true;
}
