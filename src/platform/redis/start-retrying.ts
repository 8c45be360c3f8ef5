import { connect } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import { HoldfastError } from "../errors/holdfast-error.ts";
import type { Logger } from "../lib/logger.ts";
import { redisUnavailable } from "./redis-errors.ts";
import { placesOf } from "./redis-url.ts";

/** How long a start waits for a Redis that accepts connections, in milliseconds. */
const WAITS_MS = 30_000;
const PAUSE_MS = 1_000;
const ACCEPTS_WITHIN_MS = 1_000;

/**
 * Starts what needs Redis, again and again while Redis accepts connections and does not answer in time: it, or this machine, is busy.
 *
 * @param url as `REDIS_URL`
 * @param log of a role; a command, which has none, does not wait
 * @throws HoldfastError what `start` threw; `STORE_UNAVAILABLE` after 30 s; its first error where nothing accepts a connection
 */
export async function startRetrying<T>(
  url: string,
  start: () => Promise<T>,
  log: Logger | undefined,
): Promise<T> {
  const endAt = performance.now() + WAITS_MS;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (log === undefined || !isUnavailable(error) || !(await acceptsConnections(url))) throw error;
      const waitMs = Math.round(endAt - performance.now());
      if (waitMs <= 0) throw tooSlow(error);
      log.warn(
        { reason: reasonOf(error), waitMs },
        "Redis accepts connections and does not answer; the start waits",
      );
      await pause(PAUSE_MS);
    }
  }
}

function isUnavailable(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && error.code === "STORE_UNAVAILABLE";
}

function tooSlow(error: HoldfastError): HoldfastError {
  const since = `it accepts connections, and did not answer within ${WAITS_MS / 1_000} s (${reasonOf(error)})`;
  return redisUnavailable(error, `${error.message}; ${since}`);
}

/** Shows none of Redis's texts, which can hold addresses and key names: an error's code, the first word of a reply, or its name. */
function reasonOf({ cause }: HoldfastError): string {
  if (!(cause instanceof Error)) return "no answer in time";
  if (cause instanceof HoldfastError) return reasonOf(cause);
  if (cause.name === "ReplyError") return cause.message.split(" ")[0] ?? cause.name;
  return "code" in cause ? String(cause.code) : cause.name;
}

/** Whether any of the servers that `REDIS_URL` names accepts a connection. */
async function acceptsConnections(url: string): Promise<boolean> {
  const accepted = await Promise.all(placesOf(url).map(acceptsOne));
  return accepted.includes(true);
}

function acceptsOne(place: ReturnType<typeof placesOf>[number]): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ ...place, timeout: ACCEPTS_WITHIN_MS });
    const answer = (isAccepted: boolean) => () => {
      resolve(isAccepted);
      socket.destroy();
    };
    socket.once("connect", answer(true)).once("timeout", answer(false)).once("error", answer(false));
  });
}
