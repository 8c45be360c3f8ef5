import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { Cluster, Redis } from "ioredis";
import { startRedisCluster } from "./redis-cluster.ts";
import { startRedisServer } from "./redis-server.ts";

const ACL = fileURLToPath(new URL("../../ops/redis/holdfast.acl", import.meta.url));

/** A Redis with only the documented user, and a second connection with all rights. */
export interface LimitedStore {
  /** With the user's name and password. */
  readonly url: string;
  /** With all rights; connects when used. */
  readonly admin: Redis | Cluster;
  /** What the user was refused, on every server. */
  refused(): Promise<unknown[]>;
  stop(): Promise<void>;
}

/** @param tls the TLS-only port, and its files */
export async function startLimitedStore(tls?: {
  readonly port: number;
  readonly args: readonly string[];
}): Promise<LimitedStore> {
  const users = await writeUsers();
  const server = await startRedisServer({ ...tls, args: ["--aclfile", users.file, ...(tls?.args ?? [])] });
  const admin = new Redis(server.url.replace("//", "//admin:secret@"), { lazyConnect: true });
  return {
    url: server.url.replace("//", "//holdfast:change-me@"),
    admin,
    refused: async () => (await admin.call("ACL", "LOG")) as unknown[],
    async stop() {
      admin.disconnect();
      await server.stop();
      await users.remove();
    },
  };
}

/** The same as a Redis Cluster of three masters with a replica each. */
export async function startLimitedCluster(): Promise<LimitedStore> {
  const users = await writeUsers();
  const replication = ["--masteruser", "admin", "--masterauth", "secret"];
  const cluster = await startRedisCluster({
    args: ["--aclfile", users.file, ...replication],
    admin: "admin:secret",
  });
  const nodes = cluster.shards.map(({ master: { port } }) => ({ host: "127.0.0.1", port }));
  const redisOptions = { username: "admin", password: "secret" };
  const admin = new Cluster(nodes, { redisOptions, lazyConnect: true });
  return {
    url: cluster.url.replaceAll("//", "//holdfast:change-me@"),
    admin,
    async refused() {
      await admin.ping();
      const logs = await Promise.all(
        admin.nodes().map((node) => node.call("ACL", "LOG") as Promise<string[][]>),
      );
      // Nothing keeps a cluster client's subscriber from naming its library, and it ignores the refusal.
      return logs.flat().filter((entry) => !entry.includes("client|setinfo"));
    },
    async stop() {
      admin.disconnect();
      await cluster.stop();
      await users.remove();
    },
  };
}

async function writeUsers() {
  const folder = await mkdtemp(path.join(tmpdir(), "holdfast-acl-"));
  const file = path.join(folder, "users.acl");
  const documented = await readFile(ACL, "utf8");
  await writeFile(file, `${documented}user default off\nuser admin on >secret ~* &* +@all\n`);
  return { file, remove: () => rm(folder, { recursive: true, force: true }) };
}
