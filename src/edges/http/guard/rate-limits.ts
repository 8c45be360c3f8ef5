import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import type { RateLimit } from "../../../platform/config/rate-limits.ts";
import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import { inTime } from "../../../platform/redis/redis-errors.ts";
import { integer, listOf } from "../../../platform/redis/reply-shape.ts";
import { loadDeclaringScript } from "../../../platform/redis/script.ts";
import type { ApiParts } from "../parts.ts";

/** How much an API key has used of one of its limits. One API key, one slot: its limits are counted together. */
function allowanceKey(prefix: string, name: string, limit: string): string {
  return `${prefix}:used:{${name}}:${limit}`;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** How much a request counts against its key's limits, or a function of the body. @default 1 */
    cost?: number | ((body: unknown) => number);
  }
}

interface Usage extends RateLimit {
  readonly used: number;
  readonly resetMs: number;
}

const spend = loadDeclaringScript(import.meta.url, "spend.lua", listOf(integer));
/** Leaves the route the rest of its two seconds. */
const DEADLINE_MS = 400;

/**
 * Counts requests against the limits of their API key. The counts are in Redis, for all API processes together.
 *
 * Call it after `guardRoutes`, which finds the key of a request.
 */
export function limitRates(
  server: FastifyInstance,
  { settings, client }: Pick<ApiParts, "settings" | "client">,
): void {
  const { HOLDFAST_RATE_LIMITS: limits, HOLDFAST_PREFIX: prefix } = settings;
  if (limits.size === 0) return;

  /** @param paid what was charged before; given back if the rest is refused */
  async function charge(
    request: FastifyRequest,
    reply: FastifyReply,
    whole: number,
    paid = 0,
  ): Promise<void> {
    const { apiKey, routeOptions } = request;
    const cost = whole - paid;
    if (apiKey === undefined || cost === 0) return;
    const { scope: routeScope } = routeOptions.config;
    const ofKey = limits.get(apiKey.name) ?? limits.get("*") ?? [];
    const counted = ofKey.filter(({ scope }) => scope === null || scope === routeScope);
    if (counted.length === 0) return;
    const keys = counted.map((limit) => allowanceKey(prefix, apiKey.name, nameOf(limit)));
    const args = counted.flatMap(({ count, seconds }) => [count, seconds * 1_000]);
    const run = (by: number) => inTime(spend.run(client, keys, [by, ...args]), DEADLINE_MS);
    const spent = await run(cost);
    const usages = counted.map((limit, index) => ({
      ...limit,
      used: spent[2 * index + 1] ?? 0,
      resetMs: spent[2 * index + 2] ?? 0,
    }));
    setHeaders(reply, usages);
    if (spent[0] === 1) return;
    if (paid > 0) await run(-paid);
    throw usedUp(usages, whole, paid);
  }

  server.addHook("onRequest", async (request, reply) => {
    const { cost = 1 } = request.routeOptions.config;
    // No body is read for a key that has used up its limits.
    await charge(request, reply, typeof cost === "number" ? cost : 1);
  });
  server.addHook("preHandler", async (request, reply) => {
    const { cost } = request.routeOptions.config;
    if (typeof cost === "function") await charge(request, reply, cost(request.body), 1);
  });
}

function nameOf({ scope, seconds }: RateLimit): string {
  return `${scope ?? "all"}-${seconds}s`;
}

/** Headers of draft-ietf-httpapi-ratelimit-headers-10: all policies, and how much of each is left. */
function setHeaders(reply: FastifyReply, usages: readonly Usage[]): void {
  const policies = usages.map((limit) => `"${nameOf(limit)}";q=${limit.count};w=${limit.seconds}`);
  const remaining = usages.map(
    (limit) =>
      `"${nameOf(limit)}";r=${Math.max(0, limit.count - limit.used)};t=${Math.ceil(limit.resetMs / 1_000)}`,
  );
  reply.headers({ "RateLimit-Policy": policies.join(", "), RateLimit: remaining.join(", ") });
}

function usedUp(usages: readonly Usage[], cost: number, paid: number): HoldfastError {
  const tooSmall = usages.find(({ count }) => cost > count);
  if (tooSmall !== undefined) {
    const { count, seconds } = tooSmall;
    return new HoldfastError(
      "RATE_LIMITED",
      `This request counts ${cost}, but the limit is ${count} in ${seconds} s: send smaller batches`,
    );
  }
  const exceeded = usages.filter(({ count, used }) => used + cost - paid > count);
  const named = exceeded.map(({ count, seconds, scope }) => `${count} in ${seconds} s (${scope ?? "all"})`);
  return new HoldfastError("RATE_LIMITED", `The key's limit is used up: ${named.join(", ")}`, {
    retryAfterMs: Math.max(1, ...exceeded.map(({ resetMs }) => resetMs)),
  });
}
