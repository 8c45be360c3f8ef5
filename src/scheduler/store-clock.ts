import type { Logger } from "../observe/logger.ts";
import { type Running, stopOnce } from "../service/running.ts";
import type { StoreClient } from "../store/client.ts";

/**
 * The store's clock: the one that decides which tick is due.
 *
 * All schedulers of a store then agree, whatever their machines' clocks show, and a clock that jumps under one of them
 * changes nothing. Between two readings it advances with this process's monotonic clock.
 */
export interface StoreClock extends Running {
  /** Milliseconds since 1970-01-01T00:00:00Z. */
  now(): number;
}

const READ_EVERY_MS = 5_000;

/** @throws the store's error when the first reading fails */
export async function startStoreClock(client: StoreClient, log: Logger): Promise<StoreClock> {
  let ahead = await readAhead(client);
  const timer = setInterval(() => {
    readAhead(client).then(
      (read) => {
        ahead = read;
      },
      () => log.debug("the store's clock could not be read; going on with this process's own"),
    );
  }, READ_EVERY_MS);
  return {
    now: () => performance.now() + ahead,
    stop: stopOnce(async () => clearInterval(timer)),
  };
}

/** How far the store's clock is ahead of this process's monotonic one. */
async function readAhead(client: StoreClient): Promise<number> {
  const asked = performance.now();
  const [seconds, microseconds] = await client.time();
  const answered = performance.now();
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000 - (asked + answered) / 2;
}
