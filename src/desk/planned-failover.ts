import { setTimeout as pause } from "node:timers/promises";
import { Cluster, type Redis, type RedisOptions } from "ioredis";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { kindOf, type RedisConnection } from "../platform/redis/connection.ts";
import { type Info, parseInfo, replicaLines } from "../platform/redis/fitness/info.ts";
import { type AskSentinel, connectTo, openSentinels } from "./ask-sentinels.ts";

interface Address {
  readonly host: string;
  readonly port: number;
}

/** Redis ends the hold by itself after this, if this process dies. */
const HOLD_MS = 30_000;
const CAUGHT_UP_MS = 5_000;
const SWITCHED_MS = 20_000;
const POLL_MS = 50;
const BOUNDS = { commandTimeout: 2_000 };

/**
 * Promotes a replica of a Sentinel set without losing a write: holds all writes, waits until every replica has all of them, lets
 * the sentinels promote one, makes the old master its replica, and only then releases the writes.
 *
 * @returns `host:port` of the old master and of the new one, and how long no write was accepted, in milliseconds
 * @throws HoldfastError `FAILOVER_FAILED` if it is no Sentinel set, or if a step fails; the writes are then released
 */
export async function failOver(client: RedisConnection) {
  const { options, name } = requireSentinelSet(client);
  const { ask, close } = openSentinels(options);
  try {
    const old = connectTo(options, await masterOf(ask, name), BOUNDS);
    return await promote(options, old, ask, name).finally(() => release(old));
  } finally {
    close();
  }
}

async function release(old: Redis): Promise<void> {
  await old.call("CLIENT", "UNPAUSE").catch(() => {});
  old.disconnect();
}

async function promote(options: RedisOptions, old: Redis, ask: AskSentinel, name: string) {
  const heldAt = performance.now();
  await hold(old);
  const held = await caughtUp(old);
  await ask("FAILOVER", name).catch((error: Error) => {
    throw failed(`the sentinels refuse: ${error.message}`);
  });
  const to = await within(SWITCHED_MS, "no replica was promoted", async () => {
    const master = await masterOf(ask, name);
    return nameOf(master) === nameOf(addressOf(old)) ? undefined : master;
  });
  const heldMs = performance.now() - heldAt;
  await requireComplete(options, to, held);
  await demote(old, to);
  return { from: nameOf(addressOf(old)), to: nameOf(to), heldMs };
}

function requireSentinelSet(client: RedisConnection) {
  if (client instanceof Cluster)
    throw failed(
      "this is a Redis Cluster, which needs no help: redis-cli -h REPLICA -p PORT CLUSTER FAILOVER promotes that replica, and loses nothing",
    );
  const { options } = client;
  if (kindOf(client) !== "sentinel")
    throw failed(
      "REDIS_URL names one server, not a Sentinel set, so there is nothing that promotes a replica",
    );
  return { options, name: options.name ?? "" };
}

/** Blocks everything that writes, also scripts; reads are answered. */
async function hold(old: Redis): Promise<void> {
  await old.call("CLIENT", "PAUSE", HOLD_MS, "WRITE").catch((error: Error) => {
    throw failed(`the master does not hold its writes: ${error.message}`);
  });
}

/** @returns the master's offset, which every replica has */
async function caughtUp(old: Redis): Promise<number> {
  return await within(CAUGHT_UP_MS, "not every replica has all writes", async () => {
    const info = await readReplication(old);
    const offset = Number(info.get("master_repl_offset"));
    const replicas = replicaLines(info);
    if (replicas.length === 0) throw failed("the master has no replica");
    return replicas.every((line) => line.includes(`state=online,offset=${offset},`)) ? offset : undefined;
  });
}

/** The offset at which a replica was promoted says what it has. */
async function requireComplete(options: RedisOptions, to: Address, held: number): Promise<void> {
  const promoted = connectTo(options, to, BOUNDS);
  try {
    const info = await readReplication(promoted);
    if (Number(info.get("second_repl_offset")) - 1 < held)
      throw failed(`${nameOf(to)} was promoted without the last writes`);
  } finally {
    promoted.disconnect();
  }
}

/** The sentinels would do it, after 10 s and more; but the hold also keeps them from talking to it. */
async function demote(old: Redis, { host, port }: Address): Promise<void> {
  await old.replicaof(host, port).catch((error: Error) => {
    throw failed(`${host}:${port} is the master now, but the old one is not demoted: ${error.message}`);
  });
  // As the sentinels do, so that it comes back as a replica. Without a configuration file it is refused.
  await old.config("REWRITE").catch(() => {});
}

async function readReplication(server: Redis): Promise<Info> {
  return parseInfo(await server.info("replication"));
}

async function masterOf(ask: AskSentinel, name: string): Promise<Address> {
  const found = (await ask("GET-MASTER-ADDR-BY-NAME", name)) as readonly [string, string] | null;
  if (found === null) throw failed(`the sentinels know no master ${name}`);
  return { host: found[0], port: Number(found[1]) };
}

function addressOf({ options: { host = "", port = 0 } }: Redis): Address {
  return { host, port };
}

function nameOf({ host, port }: Address): string {
  return `${host}:${port}`;
}

async function within<T>(ms: number, otherwise: string, probe: () => Promise<T | undefined>): Promise<T> {
  const deadline = performance.now() + ms;
  for (;;) {
    const found = await probe();
    if (found !== undefined) return found;
    if (performance.now() > deadline) throw failed(`${otherwise} within ${ms / 1_000} s`);
    await pause(POLL_MS);
  }
}

function failed(message: string): HoldfastError {
  return new HoldfastError("FAILOVER_FAILED", message);
}
