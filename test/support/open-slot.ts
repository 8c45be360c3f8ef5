import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { Redis } from "ioredis";
import { readClusterNode } from "../../src/platform/redis/cluster/cluster-node.ts";

/** A slot of a cluster while it moves from one master to another. */
export interface OpenSlot {
  /** Of the master that has it. */
  readonly sourcePort: number;
  /** Of the master that gets it. */
  readonly targetPort: number;
  /** How many keys its old master still has. */
  countKeys(): Promise<number>;
  /** Moves some of its keys. @returns how many */
  moveKeys(count: number): Promise<number>;
  /** Moves a share of its keys, from all over the slot, and none of which `stays` is true. */
  moveShare(share: number, stays: (key: string) => boolean): Promise<void>;
  /** Moves the remaining keys, and tells only the master that gets the slot, as a program does that dies before it tells the others. */
  closeAtTarget(): Promise<void>;
  /** Ends the move by force, on both sides, as nobody should while keys are at both. */
  forget(): Promise<void>;
  /** Opens it again on the side that was to get it, so that `fixCluster` finds its keys. */
  reopen(): Promise<void>;
  /** Moves the remaining keys, and then the slot itself. */
  close(): Promise<void>;
}

/** Ends what was interrupted, as docs/resharding.md says: by `redis-cli`, and on Valkey by hand, where that can lose keys. */
export async function fixCluster(port: number): Promise<void> {
  const server = new Redis(port, "127.0.0.1");
  try {
    if ((await server.info("server")).includes("valkey_version:")) await endMoves(server);
    else await fixByProgram(port);
  } finally {
    server.disconnect();
  }
}

async function fixByProgram(port: number): Promise<void> {
  const args = ["--cluster", "fix", `127.0.0.1:${port}`, "--cluster-yes"];
  try {
    await promisify(execFile)("redis-cli", args, { timeout: FIXED_WITHIN_MS });
  } catch (error) {
    const { stdout } = error as { readonly stdout?: string };
    throw new Error(`The cluster was not fixed:\n${stdout}`, { cause: error });
  }
}

/** Moves the rest of the keys of each open slot to the master that was to get it, and then the slot. */
async function endMoves(any: Redis): Promise<void> {
  const known = (await readClusterNode(any))?.masters.filter(({ hasFailed }) => !hasFailed) ?? [];
  const servers = known.map(({ host, port }) => new Redis(port, host));
  try {
    const nodes = await Promise.all(
      servers.map(async (server) => ({ server, node: await readClusterNode(server) })),
    );
    const open = new Set(
      nodes.flatMap(({ node }) => [...(node?.importing ?? []), ...(node?.migrating.keys() ?? [])]),
    );
    for (const slot of open) {
      const to =
        nodes.find(({ node }) => node?.importing.has(slot)) ??
        nodes.find(({ node }) => nodes.some((other) => other.node?.migrating.get(slot) === node?.id));
      if (to?.node === undefined) throw new Error(`Nobody knows who was to get slot ${slot}`);
      for (const { server } of nodes) if (server !== to.server) await moveAll(server, to.server, slot);
      for (const { server } of [to, ...nodes.filter((each) => each !== to)])
        await server.call("CLUSTER", "SETSLOT", slot, "NODE", to.node.id);
    }
  } finally {
    for (const server of servers) server.disconnect();
  }
}

async function moveAll(from: Redis, to: Redis, slot: number): Promise<void> {
  for (;;) {
    const keys = (await from.cluster("GETKEYSINSLOT", slot, MOVED_TOGETHER)) as string[];
    if (keys.length === 0) return;
    const target = ["127.0.0.1", Number(to.options.port), "", 0, MOVE_TIMEOUT_MS];
    await from.call("MIGRATE", ...target, "KEYS", ...keys);
  }
}

/** The masters of a cluster, for moving slots between them as `redis-cli --cluster reshard` does. */
export interface Resharding {
  /** Begins to move the slot of a key to another master. @param to its place in the list @default the next one */
  open(key: string, to?: number): Promise<OpenSlot>;
  stop(): void;
}

const MOVE_TIMEOUT_MS = 5_000;
const FIXED_WITHIN_MS = 30_000;
const MOVED_TOGETHER = 100;
const ALL = 1_000_000;

/** @param urls of its masters */
export function startResharding(urls: readonly string[]): Resharding {
  const clients = urls.map((url) => new Redis(url, { maxRetriesPerRequest: 1 }));
  for (const client of clients) client.on("error", () => {});
  return {
    open: (key, to) => openSlot(clients, key, to),
    stop: () => {
      for (const client of clients) client.disconnect();
    },
  };
}

async function openSlot(clients: readonly Redis[], key: string, wanted?: number): Promise<OpenSlot> {
  const slot = Number(await clients[0]?.cluster("KEYSLOT", key));
  const ids = await Promise.all(clients.map((client) => client.call("CLUSTER", "MYID")));
  const owned = await Promise.all(clients.map((client) => owns(client, slot)));
  const from = owned.indexOf(true);
  const to = wanted ?? (from + 1) % clients.length;
  const [source, target] = [clients[from], clients[to]];
  if (source === undefined || target === undefined) throw new Error(`No master has slot ${slot}`);
  await target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from] as string);
  await source.call("CLUSTER", "SETSLOT", slot, "MIGRATING", ids[to] as string);
  const keysThere = async (count: number) => (await source.cluster("GETKEYSINSLOT", slot, count)) as string[];
  const moveKeys = async (count: number) => await move(await keysThere(count));
  const move = async (keys: readonly string[]) => {
    if (keys.length > 0)
      await source.call(
        "MIGRATE",
        "127.0.0.1",
        Number(target.options.port),
        "",
        0,
        MOVE_TIMEOUT_MS,
        "KEYS",
        ...keys,
      );
    return keys.length;
  };
  return {
    sourcePort: Number(source.options.port),
    targetPort: Number(target.options.port),
    countKeys: async () => Number(await source.cluster("COUNTKEYSINSLOT", slot)),
    moveKeys,
    async moveShare(share, stays) {
      const keys = (await keysThere(ALL)).filter((key) => !stays(key));
      await move(keys.filter((_, index) => Math.floor((index + 1) * share) > Math.floor(index * share)));
    },
    async forget() {
      for (const client of [source, target]) await client.call("CLUSTER", "SETSLOT", slot, "STABLE");
    },
    async reopen() {
      await target.call("CLUSTER", "SETSLOT", slot, "IMPORTING", ids[from] as string);
    },
    async closeAtTarget() {
      while ((await moveKeys(100)) > 0);
      await target.call("CLUSTER", "SETSLOT", slot, "NODE", ids[to] as string);
    },
    async close() {
      while ((await moveKeys(100)) > 0);
      // The new owner first: whoever asks the old one in between is sent there.
      for (const client of [target, source, ...clients.filter((each) => each !== target && each !== source)])
        await client.call("CLUSTER", "SETSLOT", slot, "NODE", ids[to] as string);
    },
  };
}

/** Whether a node's own line of the table has the slot. */
async function owns(client: Redis, slot: number): Promise<boolean> {
  const table = String(await client.call("CLUSTER", "NODES"));
  const own = table.split("\n").find((line) => line.includes("myself")) ?? "";
  return own
    .split(" ")
    .slice(8)
    .map((range) => range.split("-").map(Number))
    .some(([first = -1, last = first]) => first <= slot && slot <= last);
}
