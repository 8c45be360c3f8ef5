import type { Settings } from "../config/settings.ts";
import type { Logger } from "../observe/logger.ts";
import { type Running, stopOnce } from "../service/running.ts";
import { requireFitStore } from "./audit.ts";
import { openStore, type Patience, type StoreClient, whenReady } from "./client.ts";
import { embeddedStoreUrl } from "./embedded.ts";
import { createSealer, type Sealer } from "./sealer.ts";

/** A connection to a store, and how what lies in it is sealed. */
export interface StoreAccess {
  readonly client: StoreClient;
  readonly sealer: Sealer;
}

/** The same, with a life of its own. */
export interface Store extends StoreAccess, Running {}

/** How long a process waits for the store at its start before it gives up, in milliseconds. */
const START_PATIENCE_MS = 5_000;

/**
 * Connects to the configured store, or the embedded one, and makes sure that it can give what is promised.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when it cannot be reached within 5 s, `STORE_UNFIT`
 */
export async function connectStore(settings: Settings, patience: Patience, log?: Logger): Promise<Store> {
  const store = await reachStore(settings, patience, log);
  try {
    await requireFitStore(store.client, settings.HOLDFAST_DURABILITY);
    return store;
  } catch (error) {
    await store.stop();
    throw error;
  }
}

/**
 * Connects to the configured store as it is.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when it cannot be reached within 5 s
 */
export async function reachStore(settings: Settings, patience: Patience, log?: Logger): Promise<Store> {
  const client = openStore(storeUrl(settings), patience, reporter(log));
  try {
    await whenReady(client, START_PATIENCE_MS);
  } catch (error) {
    client.disconnect();
    throw error;
  }
  client.on("close", () => log?.warn("the store is away; reconnecting"));
  client.on("ready", () => log?.info("the store is back"));
  return {
    client,
    sealer: createSealer(settings.HOLDFAST_ENCRYPTION_KEYS),
    stop: stopOnce(async () => {
      client.removeAllListeners("close");
      client.disconnect();
    }),
  };
}

/** Where the store is: what the environment says, else the embedded one of the data directory. */
function storeUrl(settings: Settings): string {
  return settings.REDIS_URL ?? embeddedStoreUrl(settings.HOLDFAST_DATA_DIR);
}

/** Reconnecting meets the same error many times a second; each kind is told once until the store is back. */
function reporter(log: Logger | undefined): (error: Error) => void {
  let told = "";
  return (error) => {
    const kind = "code" in error ? String(error.code) : error.name;
    if (kind !== told) log?.warn({ reason: kind }, "cannot reach the store");
    told = kind;
  };
}
