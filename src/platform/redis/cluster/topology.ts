import type { Redis } from "ioredis";
import { addressOf, kindOf, type RedisConnection, serversOf } from "../connection.ts";
import { onlineReplicas, readInfo } from "../fitness/info.ts";
import { readSettings } from "../fitness/required-settings.ts";
import { readClusterNode } from "./cluster-node.ts";
import { openSentinels } from "./sentinels.ts";

/** A server that takes writes. */
export interface Master {
  readonly address: string;
  readonly online: number;
  /** Those that are away included, as far as anybody knows them. */
  readonly replicas: number;
  /** How many of a cluster's slots are being moved, to it or away from it. */
  readonly openSlots: number;
  /** Whether it stops while another master's slots are not served. */
  readonly needsWholeCluster: boolean;
  /** For how long it must be silent before a replica is promoted, in milliseconds; undefined outside a cluster or if Redis does not say. */
  readonly nodeTimeoutMs: number | undefined;
}

/** What the sentinels know of their set. */
export interface SentinelFacts {
  readonly name: string;
  readonly sentinels: number;
  readonly quorum: number;
  readonly replicas: number;
  /** How long the master must be silent before a replica is promoted, in milliseconds. */
  readonly downAfterMs: number;
  /** For how long a master that lost its replicas still takes writes, in milliseconds; undefined where Redis does not say. */
  readonly maxLagMs: number | undefined;
}

export interface Topology {
  readonly kind: "server" | "sentinel" | "cluster";
  /** One, or those of a cluster, by address. */
  readonly masters: readonly Master[];
  /** Undefined where it is no Sentinel set. */
  readonly sentinel: SentinelFacts | undefined;
}

export async function readTopology(client: RedisConnection): Promise<Topology> {
  const kind = kindOf(client);
  const servers = serversOf(client);
  const [masters, sentinel] = await Promise.all([
    Promise.all(servers.map((server) => readMaster(server, kind === "cluster"))),
    kind === "sentinel" ? readSentinels(client as Redis) : undefined,
  ]);
  return { kind, masters, sentinel };
}

const COVERAGE = "cluster-require-full-coverage";

async function readMaster(server: Redis, isInCluster: boolean): Promise<Master> {
  const info = await readInfo(server);
  const node = isInCluster ? await readClusterNode(server) : undefined;
  const settings = isInCluster ? await readSettings(server, ["cluster-node-timeout", COVERAGE]) : undefined;
  const timeout = settings?.get("cluster-node-timeout");
  return {
    address: addressOf(server),
    online: onlineReplicas(info),
    replicas: Math.max(Number(info.get("connected_slaves") ?? 0), node?.replicas ?? 0),
    openSlots: node?.openSlots ?? 0,
    needsWholeCluster: settings?.get(COVERAGE) === "yes",
    nodeTimeoutMs: timeout === undefined ? undefined : Number(timeout),
  };
}

async function readSentinels(client: Redis): Promise<SentinelFacts> {
  const { name = "" } = client.options;
  const { ask, close } = openSentinels(client.options);
  try {
    const fields = (await ask("MASTER", name)) as readonly string[];
    const count = (field: string) => Number(fields[fields.indexOf(field) + 1]);
    const maxLag = (await readSettings(client, ["min-replicas-max-lag"])).get("min-replicas-max-lag");
    return {
      name,
      sentinels: count("num-other-sentinels") + 1,
      quorum: count("quorum"),
      replicas: count("num-slaves"),
      downAfterMs: count("down-after-milliseconds"),
      maxLagMs: maxLag === undefined ? undefined : Number(maxLag) * 1_000,
    };
  } finally {
    close();
  }
}
