import { Cluster, type ClusterOptions, Redis } from "ioredis";
import { withDeadline } from "../lib/deadline.ts";
import { addressOf } from "./cluster/cluster-node.ts";
import { shareNodes } from "./cluster/known-nodes.ts";
import { mendCluster } from "./cluster/mend-cluster.ts";
import { own } from "./cluster/own-sockets.ts";
import { explainSentinels } from "./cluster/sentinels.ts";
import { mendServer } from "./mend-server.ts";
import { redisUnavailable } from "./redis-errors.ts";
import {
  type Address,
  address,
  addressName,
  type ConnectionOptions,
  credentials,
  nodesOf,
  sentinelOptions,
  socketOptions,
} from "./redis-url.ts";

export type RedisConnection = Redis | Cluster;

/**
 * What commands do while Redis is away: fail at once, because somebody waits for the answer (API, CLI, producers), or wait until
 * it is back (workers).
 */
export type ConnectionMode = "fail-fast" | "retrying";

const RECONNECT_MAX_MS = 1_000;
/** The parts of an API listen for 10 reconnects, and ioredis for one more. Node.js takes more than 10 for a leak. */
const LISTENERS_MAX = 20;
/** A Redis that is loading its data is polled this often, and answers within that time. */
const LOADING_ANSWER_MS = 1_000;

/**
 * Opens a connection. It connects, and reconnects for ever, in the background.
 *
 * @param url `redis://`, `rediss://`, `unix://[user][:password]@/path`; several comma-separated nodes are a Redis Cluster;
 *   `sentinel://[user:password@]host:port,host:port/MASTER` is a Sentinel set
 * @param onError called for every lost or failed connection, with a text that holds no secret
 * @param remembered more nodes of the cluster, or more sentinels, to begin with
 */
export function openConnection(
  url: string,
  mode: ConnectionMode,
  onError: (error: Error) => void,
  remembered: readonly Address[] = [],
): RedisConnection {
  const options: ConnectionOptions = {
    ...behaviour[mode],
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
    maxLoadingRetryTime: LOADING_ANSWER_MS,
    // Redis 7.0 does not know the command, and nobody reads what it says.
    disableClientInfo: true,
    reconnectOnError: reconnectOnReadOnly(),
  };
  const client = own(createClient(url, mode, options, remembered));
  client.setMaxListeners(LISTENERS_MAX);
  if (client instanceof Cluster) {
    mendCluster(client);
    shareNodes(client);
  } else mendServer(client);
  client.on("error", kindOf(client) === "sentinel" ? explainSentinels(client as Redis, onError) : onError);
  return client;
}

/**
 * A read-only reply means that the master moved: find it, and send the command there. If there is no other, the reply is an answer:
 * reconnecting at once would not end.
 */
function reconnectOnReadOnly(): (error: Error) => 2 | false {
  let reconnectedAt = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (!isReadOnly(error) || performance.now() - reconnectedAt < RECONNECT_MAX_MS) return false;
    reconnectedAt = performance.now();
    return 2;
  };
}

/** A master that became a replica replies so to writes. */
export function isReadOnly({ message }: Error): boolean {
  return message.startsWith("READONLY");
}

/** A retrying connection gives up a server that is silent for this long. Longer than BullMQ waits for the next job: 10 s. */
export const RETRYING_SILENCE_MS = 12_000;

// Redis may have run a command already that is resent after a reconnect. Where somebody waits, "unknown" is the honest answer;
// a worker's commands check lock and state, so a second run changes nothing.
// The socket time-outs notice a connection that a firewall forgot. The system itself would take a quarter of an hour.
const behaviour: Record<ConnectionMode, ConnectionOptions> = {
  "fail-fast": {
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    autoResendUnfulfilledCommands: false,
    socketTimeout: 2_000,
  },
  retrying: { maxRetriesPerRequest: null, socketTimeout: RETRYING_SILENCE_MS },
};

// 100 ms apart, so that a call ends within its deadline of 1.5 s. Where nobody waits there is no bound, and a pause so that two
// nodes which both deny a slot are not asked in a tight loop.
const redirections: Record<ConnectionMode, ClusterOptions> = {
  "fail-fast": { maxRedirections: 12 },
  retrying: { maxRedirections: Number.POSITIVE_INFINITY, retryDelayOnMoved: 20 },
};
/** A process that sends nothing, and a subscriber, would not notice that another master has their slots. */
const REFRESH_SLOTS_MS = 5_000;

function createClient(
  url: string,
  mode: ConnectionMode,
  options: ConnectionOptions,
  remembered: readonly Address[],
): RedisConnection {
  if (url.startsWith("sentinel://")) {
    const { sentinels = [], ...named } = sentinelOptions(url);
    return new Redis({ ...options, ...named, sentinels: unique([...sentinels, ...remembered]) });
  }
  if (url.startsWith("unix://")) return new Redis({ ...options, ...socketOptions(url) });
  if (url.includes(",")) return createCluster(url, mode, options, remembered);
  return new Redis(url, options);
}

function unique<Node extends Partial<Address>>(nodes: readonly Node[]): Node[] {
  return [...new Map(nodes.map((node) => [addressName(node), node])).values()];
}

function createCluster(
  url: string,
  mode: ConnectionMode,
  redisOptions: ConnectionOptions,
  remembered: readonly Address[],
): Cluster {
  const nodes = nodesOf(url);
  const [first] = nodes;
  const tls = first?.protocol === "rediss:" ? { tls: {} } : {};
  return new Cluster(unique([...nodes.map((node) => address(node, 6379)), ...remembered]), {
    ...redirections[mode],
    redisOptions: { ...redisOptions, ...tls, ...credentials(first) },
    enableOfflineQueue: redisOptions.enableOfflineQueue ?? true,
    slotsRefreshInterval: REFRESH_SLOTS_MS,
    // A certificate has the name, not the address that it resolves to.
    dnsLookup: (name, callback) => callback(null, name),
  });
}

/**
 * Waits until the connection can be used.
 *
 * @throws HoldfastError `STORE_UNAVAILABLE` when it is not ready within `ms`
 */
export async function whenReady(client: RedisConnection, ms: number): Promise<void> {
  if (client.status === "ready") return;
  let onReady = () => {};
  const ready = new Promise<void>((resolve) => {
    onReady = resolve;
    client.once("ready", onReady);
  });
  try {
    await withDeadline(ready, ms, () => redisUnavailable());
  } finally {
    client.off("ready", onReady);
  }
}

/** Whether a server that is connected and not ready is loading its data, or has just done so. */
export async function isLoading(client: RedisConnection): Promise<boolean> {
  if (client instanceof Cluster || client.status !== "connect") return false;
  try {
    // The only command that ioredis sends before the connection is ready.
    await withDeadline(client.info("persistence"), LOADING_ANSWER_MS, redisUnavailable);
    return true;
  } catch {
    return false;
  }
}

/** What `REDIS_URL` names. */
export type TopologyKind = "server" | "sentinel" | "cluster";

export function kindOf(client: RedisConnection): TopologyKind {
  if (client instanceof Cluster) return "cluster";
  return client.options.sentinels?.length ? "sentinel" : "server";
}

/**
 * The servers that hold the data: one, or the masters of a cluster, by address. Commands without a key go to one of these: a
 * cluster's client would send them to any.
 */
export function serversOf(client: RedisConnection): Redis[] {
  if (!(client instanceof Cluster)) return [client];
  return client.nodes("master").sort((a, b) => addressOf(a).localeCompare(addressOf(b)));
}

/**
 * Opens another connection to the same Redis, e.g. for a subscription, which needs its own.
 *
 * @param options where they differ from the first connection's
 */
export function duplicate(client: RedisConnection, options: ConnectionOptions = {}): RedisConnection {
  return own(
    client instanceof Cluster ? client.duplicate([], { redisOptions: options }) : client.duplicate(options),
  );
}

/** Opens another connection for `SSUBSCRIBE`: in a cluster, to the master that has the channel's slot. */
export function openSubscriber(client: RedisConnection): RedisConnection {
  return own(
    client instanceof Cluster ? client.duplicate([], { shardedSubscribers: true }) : client.duplicate(),
  );
}

export function modeOf(client: RedisConnection): ConnectionMode {
  const { maxRetriesPerRequest } =
    client instanceof Cluster ? (client.options.redisOptions ?? {}) : client.options;
  return maxRetriesPerRequest === null ? "retrying" : "fail-fast";
}
