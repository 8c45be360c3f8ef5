import type { Settings } from "../config/settings.ts";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "../lib/deadline.ts";
import { type Running, stopOnce } from "../lib/running.ts";
import type { Logger } from "../telemetry/logger.ts";
import { type Codec, openCodec } from "./codec.ts";
import { isLoading, openStore, type Patience, type RedisConnection, whenReady } from "./connection.ts";
import { embeddedStoreUrl } from "./embedded.ts";
import { redisUnavailable } from "./redis-errors.ts";
import { refusalIn } from "./rejection.ts";
import { requireFitRedis } from "./requirements.ts";

/** A connection to a store, and how what lies in it is sealed. */
export interface RedisAccess {
  readonly client: RedisConnection;
  readonly codec: Codec;
}

/** The same, with a life of its own. */
export interface ConnectedRedis extends RedisAccess, Running {
  /** What the store has against this process now, in one line; undefined where it said nothing. */
  readonly refusal: () => string | undefined;
}

/** How long a process waits for the store at its start before it gives up, in milliseconds. */
const START_PATIENCE_MS = 5_000;
/** A store that refuses is told again this often, so that whoever looks at the log's end sees why nothing goes on. */
const TOLD_AGAIN_MS = 60_000;

/**
 * Connects to the configured store, or the embedded one, and makes sure that it can give what is promised.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when it cannot be reached within 5 s, `STORE_REFUSED`, `STORE_UNFIT`
 */
export async function connectRedis(
  settings: Settings,
  patience: Patience,
  log?: Logger,
): Promise<ConnectedRedis> {
  const store = await reachRedis(settings, patience, log);
  try {
    const audit = requireFitRedis(store.client, settings.HOLDFAST_DURABILITY);
    await withDeadline(audit, START_PATIENCE_MS, redisUnavailable);
    return store;
  } catch (error) {
    await store.stop();
    throw namedFault(error);
  }
}

/**
 * Connects to the configured store as it is.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when it cannot be reached within 5 s, `STORE_REFUSED` at once
 */
export async function reachRedis(
  settings: Settings,
  patience: Patience,
  log?: Logger,
): Promise<ConnectedRedis> {
  const reporter = createReporter(log);
  const client = openStore(storeUrl(settings), patience, reporter.onError);
  try {
    await Promise.race([untilReady(client, log), reporter.refused]);
  } catch (error) {
    client.disconnect();
    throw error;
  }
  client.on("close", () => log?.warn("the store is away; reconnecting"));
  client.on("ready", () => {
    reporter.onReady();
    log?.info("the store is back");
  });
  return {
    client,
    codec: await openCodec(settings.HOLDFAST_ENCRYPTION_KEYS),
    refusal: reporter.refusal,
    stop: stopOnce(async () => {
      client.removeAllListeners("close");
      client.disconnect();
    }),
  };
}

/** Where the store is: what the environment says, else the embedded one of the data directory. */
export function storeUrl(settings: Settings): string {
  return settings.REDIS_URL ?? embeddedStoreUrl(settings.HOLDFAST_DATA_DIR);
}

/** A role, which has a log, waits for a store that is reading its data; a person at a command is told. */
async function untilReady(client: RedisConnection, log: Logger | undefined): Promise<void> {
  for (;;) {
    try {
      return await whenReady(client, START_PATIENCE_MS);
    } catch (error) {
      if (!(await isLoading(client))) throw error;
      if (log === undefined)
        throw redisUnavailable(error, "The store is loading its data; try again when it is done");
      log.info("the store is loading its data; waiting");
    }
  }
}

function namedFault(error: unknown): unknown {
  const refusal = error instanceof HoldfastError ? undefined : refusalIn(error);
  return refusal === undefined ? error : redisRefused(refusal);
}

function redisRefused(refusal: string): HoldfastError {
  return new HoldfastError("STORE_REFUSED", refusal);
}

/** Reconnecting meets the same error many times a second; each kind is told once until the store is back. */
function createReporter(log: Logger | undefined) {
  let told = "";
  let toldAt = Number.NEGATIVE_INFINITY;
  let refusal: string | undefined;
  let refuse: (error: HoldfastError) => void = () => {};
  const refused = new Promise<never>((_, reject) => {
    refuse = reject;
  });
  refused.catch(() => {});
  return {
    /** Rejects at the first refusal. */
    refused,
    refusal: () => refusal,
    onReady() {
      told = "";
      refusal = undefined;
    },
    onError(error: Error) {
      refusal = refusalIn(error);
      if (refusal !== undefined) refuse(redisRefused(refusal));
      const kind = refusal ?? ("code" in error ? String(error.code) : error.name);
      const isDue = refusal !== undefined && performance.now() - toldAt > TOLD_AGAIN_MS;
      if (kind === told && !isDue) return;
      told = kind;
      toldAt = performance.now();
      if (refusal === undefined) log?.warn({ reason: kind }, "cannot reach the store");
      else log?.error({ code: "STORE_REFUSED" }, refusal);
    },
  };
}
