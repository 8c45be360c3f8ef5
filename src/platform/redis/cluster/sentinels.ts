import { setTimeout as pause } from "node:timers/promises";
import { Redis, type SentinelConnectionOptions } from "ioredis";
import { redisUnavailable } from "../redis-errors.ts";

/** A sentinel that hangs, or that a firewall hides, is given up after this. */
const ANSWER_MS = 1_000;
const CONNECT_MS = 3_000;
const RECONNECT_MS = 1_000;
const POLL_MS = 10;

/** Every connection to a Sentinel set has these. */
export const sentinelTimeouts = { sentinelCommandTimeout: ANSWER_MS, connectTimeout: CONNECT_MS };

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
      const deadline = performance.now() + ANSWER_MS;
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

/**
 * ioredis only says that all sentinels are unreachable, also if they answer that they know no such master. What each of them said
 * comes before that, as events.
 */
export function explainSentinels(client: Redis, onError: (error: Error) => void): (error: Error) => void {
  let said: string[] = [];
  client.on("sentinelError", ({ message }: Error) => said.push(message));
  return (error) => {
    const isAboutSentinels = error.message.startsWith("All sentinels are unreachable");
    onError(isAboutSentinels ? sentinelsFailed(said, client.options.name ?? "") : error);
    said = [];
  };
}

function sentinelsFailed(said: readonly string[], name: string): Error {
  if (said.some((message) => /NOAUTH|WRONGPASS|invalid password/.test(message)))
    return new Error("SENTINELAUTH");
  if (said.some((message) => /certificate|altnames|EPROTO|ERR_SSL|ERR_TLS/.test(message)))
    return new Error("SENTINELTLS");
  if (said.length > 0 && said.every((message) => /No such master|invalid reply: null/.test(message)))
    return new Error(`NOMASTER ${name}`);
  return new Error(`No sentinel names the master: ${said.join("; ")}`);
}

/** A client for each sentinel that `REDIS_URL` names. */
export function sentinelClients(options: SentinelConnectionOptions): Redis[] {
  const {
    sentinels = [],
    sentinelUsername: username,
    sentinelPassword: password,
    sentinelTLS: tls,
  } = options;
  return sentinels.map(({ host, port }) => {
    const client = new Redis({
      ...(host !== undefined && { host }),
      ...(port !== undefined && { port }),
      ...(username !== undefined && { username }),
      ...(password !== undefined && { password }),
      ...(tls !== undefined && { tls }),
      connectTimeout: CONNECT_MS,
      commandTimeout: ANSWER_MS,
      // Sentinels refuse the commands of a ready check, and forget nothing that would have to be loaded.
      enableReadyCheck: false,
      autoResubscribe: false,
      enableOfflineQueue: false,
      disableClientInfo: true,
      maxRetriesPerRequest: 0,
      retryStrategy: () => RECONNECT_MS,
    });
    client.on("error", () => {});
    return client;
  });
}
