import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import type { ApiKey, Scope } from "../../../platform/config/api-keys.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { Sessions } from "./sessions.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /**
     * The scope that a key needs for this route; `any`: every valid key will do. While keys are configured, a route
     * without a scope is open to nobody.
     */
    scope?: Scope | "any" | "public";
  }
  interface FastifyRequest {
    /** The key of the request or of its session. Undefined if no keys are configured, and on public routes. */
    apiKey: ApiKey | undefined;
  }
}

/**
 * Refuses what a browser sends for another site. If keys are configured, also requires one on every route that is not
 * public.
 *
 * @param sessions undefined if no keys are configured
 */
export function guardRoutes(
  server: FastifyInstance,
  keys: readonly ApiKey[],
  sessions: Sessions | undefined,
): void {
  server.decorateRequest("apiKey", undefined);
  // Also without keys: every page open in a browser on this machine can reach a loopback server.
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

/** The cookie counts only without an Authorization header, since browsers add it on their own. */
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
  // Compares every key, so that the duration reveals nothing.
  return keys.filter(({ sha256 }) => timingSafeEqual(sha256, digest))[0];
}

function otherSite(): HoldfastError {
  return new HoldfastError("CROSS_SITE_REQUEST", "Expected a request from this service's own pages");
}

type Asked = Pick<FastifyRequest, "method" | "headers">;

const SAFE = new Set(["GET", "HEAD", "OPTIONS"]);

/** Whether a browser sends this for a page of another site, with a method that could change something. */
function comesFromOtherSite({ method, headers }: Asked): boolean {
  if (SAFE.has(method)) return false;
  const site = headers["sec-fetch-site"];
  if (site !== undefined) return site !== "same-origin" && site !== "none";
  return hasForeignOrigin(headers) && !hasWhatPagesCannotSend(headers);
}

/**
 * Whether a request with a cookie comes from one of our own pages.
 *
 * A proxy may change `Host` or `Origin`, so they prove nothing. Over plain HTTP the console's own header is the proof.
 */
function provesSameOrigin({ method, headers }: Asked): boolean {
  if (SAFE.has(method)) return true;
  return headers["sec-fetch-site"] === "same-origin" || isFromConsole(headers);
}

/**
 * Browsers send `Sec-Fetch-Site` only over HTTPS and to this machine, but `Origin` with every method that is not safe. Schemes
 * are not compared: a proxy may speak HTTPS where this server speaks HTTP.
 */
function hasForeignOrigin({ origin, host }: Asked["headers"]): boolean {
  if (origin === undefined) return false;
  // A sandboxed page sends "null".
  if (!URL.canParse(origin)) return true;
  const page = new URL(origin);
  const asked = `${page.protocol}//${host ?? ""}`;
  return !URL.canParse(asked) || new URL(asked).host !== page.host;
}

/** Without our consent, which this service never gives, browsers add neither header for a page of another site. */
function hasWhatPagesCannotSend(headers: Asked["headers"]): boolean {
  return isFromConsole(headers) || /^Bearer /i.test(headers.authorization ?? "");
}

function isFromConsole(headers: Asked["headers"]): boolean {
  return headers["x-holdfast-console"] !== undefined;
}

/** Who sends a request, for the audit log. Only a session has a key without the header. */
export function callerOf({ apiKey, headers }: FastifyRequest): string {
  if (apiKey === undefined) return "API";
  return headers.authorization === undefined ? `${apiKey.name} (session)` : apiKey.name;
}
