import { Redis } from "ioredis";
import { type RedisServer, startRedisServer } from "../../../test/support/redis-server.ts";
import { until } from "../../../test/support/until.ts";

/** Masters without replicas: only their work is measured. */
export interface Masters {
  readonly url: string;
  readonly clients: readonly Redis[];
  stop(): Promise<void>;
}

const SLOTS = 16_384;

/** Starts a cluster of so many masters; one alone is a server without a cluster. */
export async function startMasters(count: number): Promise<Masters> {
  const more = count === 1 ? [] : ["--cluster-enabled", "yes"];
  const servers = await Promise.all(
    Array.from({ length: count }, () => startRedisServer({ args: [...settings, ...more] })),
  );
  const clients = servers.map(({ url }) => new Redis(url));
  if (count > 1) await join(servers, clients);
  return {
    url: servers.map(({ url }) => url).join(","),
    clients,
    async stop() {
      for (const client of clients) client.disconnect();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** The disk is not measured. */
const settings = ["--appendfsync", "no", "--auto-aof-rewrite-percentage", "0"];

async function join(servers: readonly RedisServer[], clients: readonly Redis[]): Promise<void> {
  const count = servers.length;
  const [first] = clients;
  await Promise.all(clients.map((client, index) => client.call("CLUSTER", "SET-CONFIG-EPOCH", index + 1)));
  for (const { port } of servers.slice(1)) await first?.call("CLUSTER", "MEET", "127.0.0.1", port);
  for (const [index, client] of clients.entries()) {
    const slots = [index, index + 1].map((part) => Math.floor((SLOTS * part) / count));
    await client.call("CLUSTER", "ADDSLOTSRANGE", slots[0] ?? 0, (slots[1] ?? SLOTS) - 1);
  }
  await until("the cluster is complete", async () => {
    const known = await Promise.all(clients.map((client) => client.call("CLUSTER", "INFO")));
    return known.every(
      (info) =>
        String(info).includes("cluster_state:ok") &&
        String(info).includes("cluster_slots_assigned:16384") &&
        String(info).includes(`cluster_known_nodes:${count}`),
    );
  });
}

/** What a server has counted since it started. */
export interface Counters {
  /** Milliseconds of its processor, of its main thread. */
  readonly cpuMs: number;
  readonly connections: number;
  /** Bytes that it keeps for its clients. */
  readonly clientBytes: number;
  /** Those inside scripts included. */
  readonly commands: number;
  /** Commands that it refused because another server has the slot, or because they touch two. */
  readonly misdirected: number;
}

async function countersOf(client: Redis): Promise<Counters> {
  const text = await client.info("everything");
  const field = (name: string) => Number(new RegExp(`^${name}:([\\d.]+)`, "m").exec(text)?.[1] ?? 0);
  const errors = (name: string) =>
    Number(new RegExp(`^errorstat_${name}:count=(\\d+)`, "m").exec(text)?.[1] ?? 0);
  return {
    cpuMs: (field("used_cpu_user_main_thread") + field("used_cpu_sys_main_thread")) * 1_000,
    connections: field("connected_clients"),
    clientBytes: field("mem_clients_normal"),
    commands: field("total_commands_processed"),
    misdirected: errors("MOVED") + errors("CROSSSLOT") + errors("ASK"),
  };
}

export async function countersOfAll(clients: readonly Redis[]): Promise<Counters> {
  const all = await Promise.all(clients.map(countersOf));
  const sum = (name: keyof Counters) => all.reduce((total, counters) => total + counters[name], 0);
  return {
    cpuMs: sum("cpuMs"),
    connections: sum("connections"),
    clientBytes: sum("clientBytes"),
    commands: sum("commands"),
    misdirected: sum("misdirected"),
  };
}
