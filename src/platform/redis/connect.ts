import { createHash } from "node:crypto";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import type { Settings } from "../config/settings.ts";
import type { Durability } from "../config/variables.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "../lib/deadline.ts";
import type { Logger } from "../lib/logger.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import { isRedisOf, type RememberedNodes, readNodes } from "./cluster/node-file.ts";
import {
  type ConnectionMode,
  isLoading,
  openConnection,
  type RedisConnection,
  whenReady,
} from "./connection.ts";
import { type Codec, openCodec } from "./encryption/codec.ts";
import { requireFitRedis } from "./fitness/fitness.ts";
import { durabilityFor } from "./fitness/redis-checks.ts";
import { isUnanswered, redisUnavailable, START_DEADLINE_MS } from "./redis-errors.ts";
import { socketOf } from "./redis-url.ts";
import { rejectionIn } from "./rejection.ts";

/** A connection, and the encryption of what goes over it. */
export interface RedisAccess {
  readonly client: RedisConnection;
  readonly codec: Codec;
}

export interface ConnectedRedis extends RedisAccess, Running {
  /** Why Redis rejects this process now, in one line; undefined while it does not. */
  readonly rejection: () => string | undefined;
}

/** A Redis that is fit for the durability in force. */
export interface FitRedis extends ConnectedRedis {
  /** What is configured, or what the topology asks for where nothing is. */
  readonly durability: Durability;
}

/** A rejection is logged again this often, so that the end of the log shows why nothing works. */
const REPEAT_AFTER_MS = 60_000;

/**
 * Connects to the configured Redis, or the embedded one, and checks that it can keep the promised durability.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when it cannot be reached within 5 s, or 10 s where nothing has refused, `STORE_REFUSED`, `STORE_UNFIT`
 */
export async function connectRedis(
  settings: Settings,
  mode: ConnectionMode,
  log?: Logger,
): Promise<FitRedis> {
  const redis = await reachRedis(settings, mode, log);
  const check = async () => {
    const durability = await durabilityFor(redis.client, settings.HOLDFAST_DURABILITY);
    const prices = await requireFitRedis(redis.client, { ...settings, HOLDFAST_DURABILITY: durability });
    for (const price of prices) log?.warn(price);
    return { ...redis, durability };
  };
  try {
    return await withDeadline(check(), START_DEADLINE_MS, () => unreachable(settings));
  } catch (error) {
    await redis.stop();
    throw orRejection(settings, error);
  }
}

/**
 * Connects without that check.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when it cannot be reached within 5 s, or 10 s where nothing has refused, `STORE_REFUSED` at once
 */
export async function reachRedis(
  settings: Settings,
  mode: ConnectionMode,
  log?: Logger,
): Promise<ConnectedRedis> {
  const reporter = createReporter(log);
  const open = async ({ addresses }: Pick<RememberedNodes, "addresses">) => {
    const client = openConnection(redisUrl(settings), mode, reporter.onError, addresses);
    try {
      const ready = untilReady(client, settings, { log, lastError: reporter.lastError });
      await Promise.race([ready, reporter.rejected]);
      return client;
    } catch (error) {
      client.disconnect();
      throw error;
    }
  };
  const client = await openKnown(settings, open);
  client.on("close", () => log?.warn("Redis is away; reconnecting"));
  client.on("ready", () => {
    reporter.onReady();
    log?.info("Redis is back");
  });
  return {
    client,
    codec: await openCodec(settings.HOLDFAST_ENCRYPTION_KEYS),
    rejection: reporter.rejection,
    stop: stopOnce(async () => {
      client.removeAllListeners("close");
      client.disconnect();
    }),
  };
}

/** Begins with the nodes that an earlier process knew last, unless they lead to another Redis than theirs. */
async function openKnown(
  settings: Settings,
  open: (nodes: Pick<RememberedNodes, "addresses">) => Promise<RedisConnection>,
): Promise<RedisConnection> {
  const remembered = readNodes(settings.HOLDFAST_DATA_DIR, redisUrl(settings));
  const client = await open(remembered);
  if (remembered.addresses.length === 0 || (await isRedisOf(remembered, client))) return client;
  client.disconnect();
  return await open({ addresses: [] });
}

/** `REDIS_URL`, or the embedded server's. */
export function redisUrl(settings: Settings): string {
  return settings.REDIS_URL ?? embeddedStoreUrl(settings.HOLDFAST_DATA_DIR);
}

/** `sun_path` holds 104 bytes on macOS and 108 on Linux. */
const SOCKET_PATH_MAX = 100;

/** The URL of the embedded server of a data directory, whether it runs or not. */
export function embeddedStoreUrl(dataDir: string): string {
  const inside = resolve(dataDir, "store", "redis.sock");
  if (Buffer.byteLength(inside) <= SOCKET_PATH_MAX) return `unix://${inside}`;
  const digest = createHash("sha256").update(inside).digest("hex").slice(0, 16);
  return `unix://${join(tmpdir(), `holdfast-${digest}.sock`)}`;
}

/** Names the store, without its password, and why it is this one. */
function unreachable(
  { REDIS_URL: url, HOLDFAST_DATA_DIR: dataDir }: Settings,
  cause?: unknown,
  why = `no answer within ${START_DEADLINE_MS / 1_000} s`,
): HoldfastError {
  const which =
    url === undefined
      ? `${embeddedStoreUrl(dataDir).slice("unix://".length)}, the embedded server of \`holdfast up\`, because REDIS_URL is not set`
      : `${addressIn(url)}, from REDIS_URL`;
  return redisUnavailable(cause, `The store cannot be reached: ${which}: ${why}`);
}

/** Host and port, or the socket. Everything before the last `@` can be a password, and so can a query, even one with an `@`. */
export function addressIn(url: string): string {
  if (url.startsWith("unix://")) return socketOf(url).path;
  if (/\?.*@/s.test(url)) return "(hidden)";
  return url.replace(/^[a-z]+:\/\/(?:.*@)?/s, "").replace(/\?.*$/s, "");
}

const TRIES = 2;

/** A role waits for a Redis that is loading its data; a command, which has no log, does not. */
async function untilReady(
  client: RedisConnection,
  settings: Settings,
  { log, lastError }: { readonly log: Logger | undefined; readonly lastError: () => string | undefined },
): Promise<void> {
  for (let tries = 1; ; tries += 1) {
    try {
      return await whenReady(client, START_DEADLINE_MS);
    } catch (error) {
      if (!(await isLoading(client))) {
        // A busy machine can take longer: nothing has refused yet.
        if (lastError() === undefined && tries < TRIES) continue;
        throw unreachable(settings, error, lastError());
      }
      if (log === undefined)
        throw redisUnavailable(error, "Redis is loading its data; try again when it is done");
      log.info("Redis is loading its data; waiting");
    }
  }
}

/** A connection that was lost during the check is Redis out of reach: ioredis's own errors are of its insides, and nobody could know them. */
function orRejection(settings: Settings, error: unknown): unknown {
  if (error instanceof HoldfastError) return error;
  const rejection = rejectionIn(error);
  if (rejection !== undefined) return redisRefused(rejection);
  const isLost = error instanceof Error && error.name !== "ReplyError" && isUnanswered(error);
  return isLost ? unreachable(settings, error) : error;
}

function redisRefused(rejection: string): HoldfastError {
  return new HoldfastError("STORE_REFUSED", rejection);
}

const SILENT = "no answer in time";

/** An error of ioredis that has neither a code nor a name of its own says that its time was over. */
function kindOf(error: Error): string {
  if ("code" in error) return String(error.code);
  return error.name === "Error" ? SILENT : error.name;
}

/** Reconnecting meets the same error many times a second: each kind is logged once until Redis is back. */
function createReporter(log: Logger | undefined) {
  let logged = "";
  let loggedAt = Number.NEGATIVE_INFINITY;
  let rejection: string | undefined;
  let reject: (error: HoldfastError) => void = () => {};
  const rejected = new Promise<never>((_, rejectPromise) => {
    reject = rejectPromise;
  });
  rejected.catch(() => {});
  return {
    /** Rejects when Redis first rejects this process. */
    rejected,
    rejection: () => rejection,
    /** Why it was not reached last, as far as an error says. */
    lastError: () => (logged === SILENT ? undefined : logged || undefined),
    onReady() {
      logged = "";
      rejection = undefined;
    },
    onError(error: Error) {
      rejection = rejectionIn(error);
      if (rejection !== undefined) reject(redisRefused(rejection));
      const kind = rejection ?? kindOf(error);
      const isDue = rejection !== undefined && performance.now() - loggedAt > REPEAT_AFTER_MS;
      if (kind === logged && !isDue) return;
      logged = kind;
      loggedAt = performance.now();
      if (rejection === undefined) log?.warn({ reason: kind }, "cannot reach Redis");
      else log?.error({ code: "STORE_REFUSED" }, rejection);
    },
  };
}
