import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { Redis } from "ioredis";
import { type RedisServer, startRedisServer } from "./redis-server.ts";
import { until } from "./until.ts";

export interface SentinelSetOptions {
  /** @default 2 */
  readonly replicas?: number;
  /** More arguments of master and replicas, such as `["--min-replicas-to-write", "1"]`. */
  readonly args?: readonly string[];
  /** More lines of the sentinels' configuration, such as `requirepass secret`. */
  readonly sentinelLines?: readonly string[];
  /** Starts each server. The port that it returns is the one under which others know the server. @default startRedisServer */
  readonly launch?: typeof startRedisServer;
}

/** A master, its replicas and three sentinels, which promote a replica 1.5 s after the master is gone. */
export interface SentinelSet {
  /** Names the sentinels, as `REDIS_URL` does. */
  readonly url: string;
  /** `host:port` of each sentinel, comma-separated. */
  readonly hosts: string;
  /** The first one is the master at first. */
  readonly servers: readonly RedisServer[];
  readonly sentinels: readonly RedisServer[];
  /** The master, according to the first sentinel. */
  master(): Promise<RedisServer>;
  /** Lets the sentinels look every 10 s, as they do by default, so that an old master is demoted only after that. */
  slowDown(): Promise<void>;
  /** Waits until all sentinels see all replicas in sync again. They then look often. */
  inSync(): Promise<void>;
  /** From now on no sentinel takes the master for down, and what they have begun is over; until `watchMaster`. */
  keepMaster(): Promise<void>;
  watchMaster(): Promise<void>;
  /** Sends one command to the first sentinel. */
  askSentinel(...command: readonly string[]): Promise<unknown>;
  stop(): Promise<void>;
}

const NAME = "main";
const OFTEN_MS = 300;
const DOWN_AFTER_MS = 1_500;
const NEVER_MS = 3_600_000;
/** One that was kept from looking for two seconds, on a busy machine, does nothing for so long; by default for half a minute. */
const TILT_MS = 3_000;

/** Starts all of it, and waits until the sentinels know each other and the replicas. */
export async function startSentinelSet({
  replicas = 2,
  args = [],
  sentinelLines = [],
  launch = startRedisServer,
}: SentinelSetOptions = {}): Promise<SentinelSet> {
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-sentinel-"));
  const started: RedisServer[] = [];
  const clients: Redis[] = [];
  const start = async (options: Parameters<typeof startRedisServer>[0]) => {
    const server = await launch(options);
    started.push(server);
    return server;
  };
  const stop = async () => {
    for (const client of clients) client.disconnect();
    await Promise.all(started.map((server) => server.stop()));
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const dataArgs = ["--repl-diskless-sync-delay", "0", ...args];
    const master = await start({ args: dataArgs });
    const replicaArgs = [...dataArgs, "--replicaof", master.host, String(master.port)];
    const others = await Promise.all(Array.from({ length: replicas }, () => start({ args: replicaArgs })));
    const servers = [master, ...others];
    const masterClient = new Redis(master.url);
    clients.push(masterClient);
    await until("the replicas are in sync", async () => {
      const info = await masterClient.info("replication");
      return info.match(/state=online/g)?.length === replicas;
    });
    const sentinels = await Promise.all(
      [0, 1, 2].map(async (index) => {
        const file = path.join(folder, `sentinel-${index}.conf`);
        await writeFile(file, configuration(folder, master, sentinelLines));
        return await start({ sentinelFile: file });
      }),
    );
    const password = sentinelLines.find((line) => line.startsWith("requirepass "))?.split(" ")[1];
    const asking = sentinels.map(
      ({ host, port }) => new Redis(port, host, { ...(password && { password }) }),
    );
    clients.push(...asking);
    for (const client of clients) client.on("error", () => {});
    await acquainted(asking, replicas);
    const hosts = sentinels.map(({ host, port }) => `${host}:${port}`).join(",");
    const askSentinel = async ([name = "", ...rest]: readonly string[]) =>
      await asking[0]?.call(name, ...rest);
    return {
      url: `sentinel://${hosts}/${NAME}`,
      hosts,
      servers,
      sentinels,
      async master() {
        const [, port] = (await askSentinel(["SENTINEL", "GET-MASTER-ADDR-BY-NAME", NAME])) as string[];
        return servers.find((server) => String(server.port) === port) as RedisServer;
      },
      slowDown: () => lookEvery(asking, 10_000),
      inSync: () => acquainted(asking, replicas),
      async keepMaster() {
        await downAfter(asking, NEVER_MS);
        await unchallenged(asking);
      },
      watchMaster: () => downAfter(asking, DOWN_AFTER_MS),
      askSentinel: (...command) => askSentinel(command),
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

function configuration(folder: string, { host, port }: RedisServer, lines: readonly string[]): string {
  return [
    `dir ${folder}`,
    `sentinel monitor ${NAME} ${host} ${port} 2`,
    `sentinel down-after-milliseconds ${NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${NAME} 6000`,
    ...lines,
    "",
  ].join("\n");
}

async function acquainted(clients: readonly Redis[], replicas: number): Promise<void> {
  await lookEvery(clients, OFTEN_MS);
  await until("the sentinels know each other and the replicas, which are in sync", async () => {
    const masters = (await askAll(clients, "MASTER")) as string[][];
    const known = (await askAll(clients, "REPLICAS")) as string[][][];
    return (
      masters.every((master) => fieldOf(master, "num-other-sentinels") === "2") &&
      known.every((fields) => fields.filter(isInSync).length === replicas)
    );
  });
}

async function downAfter(clients: readonly Redis[], ms: number): Promise<void> {
  await Promise.all(
    clients.map((client) => client.call("SENTINEL", "SET", NAME, "down-after-milliseconds", ms)),
  );
}

async function unchallenged(clients: readonly Redis[]): Promise<void> {
  await until("no sentinel takes the master for down or promotes a replica", async () => {
    const masters = (await askAll(clients, "MASTER")) as string[][];
    return masters.every((master) => fieldOf(master, "flags") === "master");
  });
}

async function lookEvery(clients: readonly Redis[], ms: number): Promise<void> {
  const settings = ["DEBUG", "INFO-PERIOD", ms, "PUBLISH-PERIOD", OFTEN_MS, "TILT-PERIOD", TILT_MS];
  await Promise.all(clients.map((client) => client.call("SENTINEL", settings)));
}

function askAll(clients: readonly Redis[], command: string): Promise<unknown[]> {
  return Promise.all(clients.map((client) => client.call("SENTINEL", command, NAME)));
}

function isInSync(replica: readonly string[]): boolean {
  return fieldOf(replica, "master-link-status") === "ok" && fieldOf(replica, "flags") === "slave";
}

function fieldOf(fields: readonly string[], name: string): string | undefined {
  return fields[fields.indexOf(name) + 1];
}
