import { setTimeout as pause } from "node:timers/promises";
import { Redis, type RedisOptions, type SentinelConnectionOptions } from "ioredis";
import { SENTINEL_ANSWER_MS, sentinelClients } from "../platform/redis/cluster/sentinels.ts";
import { redisUnavailable } from "../platform/redis/redis-errors.ts";

const POLL_MS = 10;

/** A connection to one other server of a set, which is not tried again. */
export function connectTo(
  { username, password, tls }: RedisOptions,
  address: { readonly host: string; readonly port: number },
  bounds: Pick<RedisOptions, "connectTimeout" | "commandTimeout">,
): Redis {
  const server = new Redis({
    ...address,
    ...bounds,
    ...(username && { username }),
    ...(password && { password }),
    ...(tls !== undefined && { tls }),
    disableClientInfo: true,
    maxRetriesPerRequest: 0,
    retryStrategy: () => null,
  });
  server.on("error", () => {});
  return server;
}

/** Sends `SENTINEL …` to a sentinel that can be reached. */
export type AskSentinel = (...command: readonly string[]) => Promise<unknown>;

export interface Sentinels {
  /** @throws HoldfastError `STORE_UNAVAILABLE` when none can be reached within 1 s */
  readonly ask: AskSentinel;
  close(): void;
}

export function openSentinels(options: SentinelConnectionOptions): Sentinels {
  const clients = sentinelClients(options);
  return {
    async ask(...command) {
      const deadline = performance.now() + SENTINEL_ANSWER_MS;
      for (;;) {
        const ready = clients.find(({ status }) => status === "ready");
        if (ready !== undefined) return await ready.call("SENTINEL", ...command);
        if (performance.now() > deadline) throw redisUnavailable(undefined, "No sentinel can be reached");
        await pause(POLL_MS);
      }
    },
    close() {
      for (const client of clients) client.disconnect();
    },
  };
}
