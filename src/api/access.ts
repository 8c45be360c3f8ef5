import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ApiKey, Scope } from "../config/variables.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** What a key must allow for this route. A route that names none is open to nobody while keys are configured. */
    scope?: Scope | "public";
  }
  interface FastifyRequest {
    /** The name of the API key that the request showed, for the audit list. */
    presentedKey?: string;
  }
}

/** Asks for an API key on every route that is not public, if keys are configured. */
export function guardRoutes(server: FastifyInstance, keys: readonly ApiKey[]): void {
  if (keys.length === 0) return;
  server.addHook("onRequest", async (request, reply) => {
    const { scope } = request.routeOptions.config;
    if (request.is404 || scope === "public") return;
    const key = findKey(request, keys);
    if (key === undefined) {
      reply.header("WWW-Authenticate", "Bearer");
      throw new HoldfastError("UNAUTHENTICATED", "Expected a valid key in Authorization: Bearer …");
    }
    request.presentedKey = key.name;
    if (scope === undefined || !key.scopes.has(scope)) {
      throw new HoldfastError("FORBIDDEN", `Expected a key with the scope ${scope ?? "of this route"}`);
    }
  });
}

function findKey(request: FastifyRequest, keys: readonly ApiKey[]): ApiKey | undefined {
  const [, token] = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(request.headers.authorization ?? "") ?? [];
  if (token === undefined) return undefined;
  const digest = createHash("sha256").update(token).digest();
  // Every key is compared, whichever matches, so that the time tells nothing.
  return keys.filter(({ sha256 }) => timingSafeEqual(sha256, digest))[0];
}
