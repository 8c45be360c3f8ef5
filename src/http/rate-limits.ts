import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { RateLimit } from "../config/rate-limits.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { allowanceKey } from "../redis/keys.ts";
import { inTime } from "../redis/redis-errors.ts";
import { loadScript } from "../redis/script.ts";
import type { ApiParts } from "./parts.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /**
     * How much a request counts against the limits of its key; a function of the body where that tells.
     *
     * @default 1
     */
    cost?: number | ((body: unknown) => number);
  }
}

/** One limit, and how it stands after a request. */
interface Standing extends RateLimit {
  readonly used: number;
  readonly resetMs: number;
}

const spend = loadScript(import.meta.url, "spend.lua");
/** The route itself has the rest of the two seconds in which every answer comes. */
const DEADLINE_MS = 400;

/**
 * Counts requests against the limits of their API key, in the store, so that all API processes count together. Without
 * limits it does nothing at all. To be called after `guardRoutes`, which finds out whose a request is.
 */
export function limitRates(
  server: FastifyInstance,
  { settings, client }: Pick<ApiParts, "settings" | "client">,
): void {
  const { HOLDFAST_RATE_LIMITS: limits, HOLDFAST_PREFIX: prefix } = settings;
  if (limits.size === 0) return;

  async function charge(request: FastifyRequest, reply: FastifyReply, cost: number): Promise<void> {
    const { apiKey, routeOptions } = request;
    if (apiKey === undefined || cost === 0) return;
    const { scope: asked } = routeOptions.config;
    const ofKey = limits.get(apiKey.name) ?? limits.get("*") ?? [];
    const counted = ofKey.filter(({ scope }) => scope === null || scope === asked);
    if (counted.length === 0) return;
    const keys = counted.map((limit) => allowanceKey(prefix, apiKey.name, nameOf(limit)));
    const args = counted.flatMap(({ count, seconds }) => [count, seconds * 1_000]);
    const told = (await inTime(spend.run(client, keys, [cost, ...args]), DEADLINE_MS)) as number[];
    const standings = counted.map((limit, index) => ({
      ...limit,
      used: told[2 * index + 1] ?? 0,
      resetMs: told[2 * index + 2] ?? 0,
    }));
    tell(reply, standings);
    if (told[0] !== 1) throw usedUp(standings, cost);
  }

  server.addHook("onRequest", async (request, reply) => {
    const { cost = 1 } = request.routeOptions.config;
    if (typeof cost === "number") await charge(request, reply, cost);
  });
  server.addHook("preHandler", async (request, reply) => {
    const { cost } = request.routeOptions.config;
    if (typeof cost === "function") await charge(request, reply, cost(request.body));
  });
}

function nameOf({ scope, seconds }: RateLimit): string {
  return `${scope ?? "all"}-${seconds}s`;
}

/** As draft-ietf-httpapi-ratelimit-headers-10 has it: all policies, and what is left of each. */
function tell(reply: FastifyReply, standings: readonly Standing[]): void {
  const policies = standings.map((limit) => `"${nameOf(limit)}";q=${limit.count};w=${limit.seconds}`);
  const rests = standings.map(
    (limit) =>
      `"${nameOf(limit)}";r=${Math.max(0, limit.count - limit.used)};t=${Math.ceil(limit.resetMs / 1_000)}`,
  );
  reply.headers({ "RateLimit-Policy": policies.join(", "), RateLimit: rests.join(", ") });
}

function usedUp(standings: readonly Standing[], cost: number): HoldfastError {
  const tooSmall = standings.find(({ count }) => cost > count);
  if (tooSmall !== undefined) {
    const { count, seconds } = tooSmall;
    return new HoldfastError(
      "RATE_LIMITED",
      `This request counts ${cost}, and ${count} in ${seconds} s are the most: send smaller batches`,
    );
  }
  const exceeded = standings.filter(({ count, used }) => used + cost > count);
  const named = exceeded.map(({ count, seconds, scope }) => `${count} in ${seconds} s (${scope ?? "all"})`);
  return new HoldfastError("RATE_LIMITED", `The key's limit is used up: ${named.join(", ")}`, {
    retryAfterMs: Math.max(1, ...exceeded.map(({ resetMs }) => resetMs)),
  });
}
