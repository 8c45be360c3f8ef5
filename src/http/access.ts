import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ApiKey, Scope } from "../config/api-keys.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { comesFromOtherSite, provesSameOrigin } from "./same-origin.ts";
import type { Sessions } from "./sessions.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /**
     * What a key must allow for this route; `any`: that it is a valid one is enough. A route that names none is open to
     * nobody while keys are configured.
     */
    scope?: Scope | "any" | "public";
  }
  interface FastifyRequest {
    /** The key that the request showed, itself or by a session. Undefined where none are configured, or on public routes. */
    apiKey: ApiKey | undefined;
  }
}

/**
 * Refuses what a browser sends for another site, and, if keys are configured, asks for one on every route that is not public.
 *
 * @param sessions undefined where no keys are configured
 */
export function guardRoutes(
  server: FastifyInstance,
  keys: readonly ApiKey[],
  sessions: Sessions | undefined,
): void {
  server.decorateRequest("apiKey", undefined);
  // Also without keys: what listens on loopback can be reached by every page that a browser on this machine opens.
  server.addHook("onRequest", (request, _reply, done) =>
    done(comesFromOtherSite(request) ? otherSite() : undefined),
  );
  if (sessions === undefined) return;
  server.addHook("onRequest", async (request, reply) => {
    const { scope } = request.routeOptions.config;
    if (request.is404 || scope === "public") return;
    request.apiKey = await identify(request, keys, sessions);
    if (request.apiKey === undefined) {
      reply.header("WWW-Authenticate", "Bearer");
      throw unauthenticated();
    }
    if (scope === "any") return;
    if (scope === undefined || !request.apiKey.scopes.has(scope)) {
      throw new HoldfastError("FORBIDDEN", `Expected a key with the scope ${scope ?? "of this route"}`);
    }
  });
}

export function unauthenticated(): HoldfastError {
  return new HoldfastError("UNAUTHENTICATED", "Expected a valid key in Authorization: Bearer …");
}

/** A key that is shown counts alone; the cookie, which a browser adds by itself, only where there is none. */
async function identify(
  request: FastifyRequest,
  keys: readonly ApiKey[],
  sessions: Sessions,
): Promise<ApiKey | undefined> {
  const { authorization, cookie } = request.headers;
  if (authorization !== undefined) return findKey(authorization, keys);
  const key = cookie === undefined ? undefined : await sessions.read(cookie);
  if (key !== undefined && !provesSameOrigin(request)) throw otherSite();
  return key;
}

function findKey(authorization: string, keys: readonly ApiKey[]): ApiKey | undefined {
  const [, token] = /^Bearer +([\x21-\x7e]{1,512})$/i.exec(authorization) ?? [];
  if (token === undefined) return undefined;
  const digest = createHash("sha256").update(token).digest();
  // Every key is compared, whichever matches, so that the time tells nothing.
  return keys.filter(({ sha256 }) => timingSafeEqual(sha256, digest))[0];
}

function otherSite(): HoldfastError {
  return new HoldfastError("CROSS_SITE_REQUEST", "Expected a request from this service's own pages");
}
