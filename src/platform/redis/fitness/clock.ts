import type { Redis } from "ioredis";
import { HoldfastError } from "../../errors/holdfast-error.ts";
import { isoTime } from "../../lib/iso-time.ts";
import type { Logger } from "../../lib/logger.ts";
import { oneAtATime } from "../../lib/one-at-a-time.ts";
import { type Running, stopAll, stopOnce } from "../../lib/running.ts";
import type { ConnectedRedis } from "../connect.ts";
import { type RedisConnection, serversOf } from "../connection.ts";
import { inTime, redisUnavailable, START_DEADLINE_MS } from "../redis-errors.ts";

/** How far a process's clock may be off Redis's, in milliseconds. */
export const CLOCK_TOLERANCE_MS = 2_000;

/** One comparison of a process's clock with Redis's. */
export interface ClockReading {
  /** Milliseconds by which Redis's clock is ahead of this process's monotonic one. */
  readonly aheadMs: number;
  /** The error of the reading in milliseconds: half of the round trip. */
  readonly uncertainMs: number;
}

/**
 * This process's clock, compared with Redis's, which decides what expires and what is due.
 *
 * The time of day can be set, the monotonic clock cannot: comparing the two finds a jump without a round trip.
 */
export interface Clock extends Running {
  /** Redis's time, in milliseconds since 1970. */
  now(): number;
  /** Milliseconds by which this process's clock is ahead of Redis's; negative where it is behind. */
  offsetMs(): number;
  /** Whether it is within 2 s of Redis's, as far as is known. */
  isRight(): boolean;
  /** @throws HoldfastError `CLOCK_WRONG` with both times, unless it is right */
  assertRight(): void;
  /** Called after each comparison with Redis. */
  onMeasure(listener: (isRight: boolean) => void): void;
  /** Compares with Redis soon, if something looks wrong or it is time. */
  look(): void;
}

const LOOK_EVERY_MS = 1_000;
const MEASURE_EVERY_MS = 5_000;
const SAMPLES_MAX = 3;
/** Precise enough. */
const GOOD_ROUND_TRIP_MS = 20;
const RETRY_AFTER_MS = 5_000;

/**
 * Measures this process's clock, now and from now on. If it is wrong, the connection is closed.
 *
 * @throws HoldfastError `CLOCK_WRONG` when it is more than 2 s off, `STORE_UNAVAILABLE`
 */
export async function openClock(store: ConnectedRedis, log?: Logger): Promise<Clock> {
  const clock = createClock(store.client, log);
  try {
    await inTime(clock.measure(), START_DEADLINE_MS);
    clock.assertRight();
    return clock;
  } catch (error) {
    await stopAll([store, clock]);
    throw error;
  }
}

function createClock(client: RedisConnection, log: Logger | undefined) {
  let reading: ClockReading = { aheadMs: Date.now() - performance.now(), uncertainMs: 0 };
  let measuredAt = Number.NEGATIVE_INFINITY;
  let wasRight = true;
  const listeners: ((isRight: boolean) => void)[] = [];
  const now = () => performance.now() + reading.aheadMs;
  const offsetMs = () => Date.now() - now();
  const isRight = () => Math.abs(offsetMs()) - reading.uncertainMs <= CLOCK_TOLERANCE_MS;

  const measure = oneAtATime(async () => {
    const measured = await readClock(client);
    if (measured === undefined) return;
    reading = measured;
    measuredAt = performance.now();
    const isRightNow = isRight();
    if (isRightNow !== wasRight) report(log, offsetMs(), isRightNow);
    wasRight = isRightNow;
    for (const listener of listeners) listener(isRightNow);
  });
  // A retrying connection would keep the command until Redis is back, and the reply would be late.
  const look = () => {
    const isDue = isRight() !== wasRight || performance.now() - measuredAt > MEASURE_EVERY_MS;
    if (isDue && client.status === "ready") measure().catch(() => {});
  };
  const timer = setInterval(look, LOOK_EVERY_MS);
  return {
    now,
    offsetMs,
    isRight,
    measure,
    look,
    assertRight() {
      if (isRight()) return;
      look();
      throw clockWrong(offsetMs());
    },
    onMeasure: (listener: (isRight: boolean) => void) => void listeners.push(listener),
    stop: stopOnce(async () => clearInterval(timer)),
  };
}

function report(log: Logger | undefined, offsetMs: number, isRight: boolean): void {
  if (isRight) log?.info("the clock is right again; going on");
  else log?.error({ code: "CLOCK_WRONG", offsetMs: Math.round(offsetMs) }, clockWrong(offsetMs).message);
}

/**
 * Reads Redis's time a few times; the quickest reply counts.
 *
 * @returns undefined where none came within the tolerance: a slow network or a busy event loop proves nothing
 */
async function readClock(client: RedisConnection): Promise<ClockReading | undefined> {
  let best: ClockReading | undefined;
  for (let sample = 0; sample < SAMPLES_MAX; sample += 1) {
    const reading = await sampleClock(clockServer(client));
    if (best === undefined || reading.uncertainMs < best.uncertainMs) best = reading;
    if (2 * best.uncertainMs < GOOD_ROUND_TRIP_MS) break;
  }
  return best === undefined || 2 * best.uncertainMs > CLOCK_TOLERANCE_MS ? undefined : best;
}

/** The server whose clock counts. In a cluster each has its own; the master of the lowest address is asked. */
function clockServer(client: RedisConnection): Redis {
  const [server] = serversOf(client);
  if (server === undefined) throw redisUnavailable();
  return server;
}

/** Reads Redis's time once. */
export async function sampleClock(server: Redis): Promise<ClockReading> {
  const asked = performance.now();
  const [seconds, microseconds] = await server.time();
  const uncertainMs = (performance.now() - asked) / 2;
  const redisMs = Number(seconds) * 1_000 + Number(microseconds) / 1_000;
  return { aheadMs: redisMs - asked - uncertainMs, uncertainMs };
}

/** Redis's time, in milliseconds since 1970. */
export async function redisNow(client: RedisConnection): Promise<number> {
  const [seconds, microseconds] = await clockServer(client).time();
  return Number(seconds) * 1_000 + Number(microseconds) / 1_000;
}

/** @param offsetMs by which this process's clock is ahead of Redis's */
export function clockWrong(offsetMs: number): HoldfastError {
  const message = `${offsetText(offsetMs)}. Remedy: synchronise the clocks of both machines (NTP).`;
  return new HoldfastError("CLOCK_WRONG", message, { retryAfterMs: RETRY_AFTER_MS });
}

/** How far the clocks are apart, as a sentence without its full stop. @param offsetMs as for `clockWrong` */
export function offsetText(offsetMs: number): string {
  const here = Date.now();
  return (
    `This process's clock says ${isoTime(here)}, Redis's ${isoTime(here - offsetMs)}: ` +
    `${Math.abs(offsetMs / 1_000).toFixed(1)} s ${offsetMs < 0 ? "behind" : "ahead"}, ` +
    `more than the ${CLOCK_TOLERANCE_MS / 1_000} s allowed`
  );
}
