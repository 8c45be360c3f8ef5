import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Cluster } from "ioredis";
import { z } from "zod";
import type { Logger } from "../../lib/logger.ts";
import { makePrivateDirectory } from "../../lib/private-files.ts";
import { type Running, stopOnce } from "../../lib/running.ts";
import { kindOf, type RedisConnection, serversOf } from "../connection.ts";
import { fileNameOf, replaceFile } from "../fitness/epoch-file.ts";
import { inTime } from "../redis-errors.ts";
import { replicasOf } from "../replicas/replica-watch.ts";
import { readClusterNode } from "./cluster-node.ts";
import { knownNodesOf } from "./known-nodes.ts";

const nodesSchema = z.object({
  /** Of the cluster's nodes, or of the sentinels. An address can be another server's tomorrow. */
  ids: z.array(z.string()),
  addresses: z.array(z.object({ host: z.string(), port: z.int() })),
});

/** The nodes of a cluster, or the sentinels, that an earlier process knew last. */
export type RememberedNodes = Readonly<z.output<typeof nodesSchema>>;

const NONE: RememberedNodes = { ids: [], addresses: [] };

function pathOf(dataDir: string, url: string): string {
  return join(dataDir, "nodes", fileNameOf(url));
}

/** What processes of this data directory last knew of the Redis that this URL names. */
export function readNodes(dataDir: string, url: string): RememberedNodes {
  try {
    return nodesSchema.safeParse(JSON.parse(readFileSync(pathOf(dataDir, url), "utf8"))).data ?? NONE;
  } catch {
    return NONE;
  }
}

/** Whether a connection has led to the Redis of which these nodes were remembered. */
export async function isRedisOf({ ids }: RememberedNodes, client: RedisConnection): Promise<boolean> {
  const found = await inTime(idsOf(client)).catch((): readonly string[] => []);
  return found.some((id) => ids.includes(id));
}

async function idsOf(client: RedisConnection): Promise<readonly string[]> {
  if (kindOf(client) === "sentinel") return await replicasOf(client).sentinelIds();
  const [server] = serversOf(client);
  const node = server && (await readClusterNode(server));
  if (node === undefined) return [];
  return [node.id, ...node.others.filter(({ hasFailed }) => !hasFailed).map(({ id }) => id)];
}

const KEPT_EVERY_MS = 5_000;

/** Keeps the nodes that are known for the processes to come, whenever they have changed. */
export function keepNodes(client: RedisConnection, dataDir: string, url: string, log: Logger): Running {
  if (kindOf(client) === "server") return { stop: async () => {} };
  const path = pathOf(dataDir, url);
  let kept = "";
  const keep = async () => {
    if (client.status !== "ready") return;
    const ids = await inTime(idsOf(client));
    const known = client instanceof Cluster ? knownNodesOf(client) : (client.options.sentinels ?? []);
    const addresses = known.map(({ host = "", port = 0 }) => ({ host, port }));
    const content = JSON.stringify({ ids: ids.toSorted(), addresses });
    if (ids.length === 0 || content === kept) return;
    makePrivateDirectory(join(dataDir, "nodes"));
    replaceFile(path, content);
    kept = content;
  };
  let hasFailed = false;
  const tryKeep = () =>
    void keep().catch((error: unknown) => {
      if (!hasFailed) log.warn({ reason: String(error) }, "the nodes of Redis cannot be stored");
      hasFailed = true;
    });
  const timer = setInterval(tryKeep, KEPT_EVERY_MS);
  tryKeep();
  return { stop: stopOnce(async () => clearInterval(timer)) };
}
