import { Cluster, Redis, type RedisOptions } from "ioredis";
import { HoldfastError } from "../errors/holdfast-error.ts";
import { withDeadline } from "../lib/deadline.ts";
import { ignoreRepliesToAsking } from "./asking.ts";
import { redisUnavailable } from "./redis-errors.ts";

export type RedisConnection = Redis | Cluster;

type ConnectionOptions = Omit<RedisOptions, "replyMapping">;

/**
 * What commands do while Redis is away: fail at once, because somebody waits for the answer (API, CLI, producers), or wait until
 * it is back (workers).
 */
export type ConnectionMode = "fail-fast" | "retrying";

const RECONNECT_MAX_MS = 1_000;
/** A Redis that is loading its data is polled this often, and answers within that time. */
const LOADING_ANSWER_MS = 1_000;

/**
 * Opens a connection. It connects, and reconnects for ever, in the background.
 *
 * @param url `redis://`, `rediss://`, `unix://`; several comma-separated nodes are a Redis Cluster;
 *   `sentinel://[user:password@]host:port,host:port/MASTER[?db=N]` is a Sentinel set
 * @param onError called for every lost or failed connection, with a text that holds no secret
 */
export function openConnection(
  url: string,
  mode: ConnectionMode,
  onError: (error: Error) => void,
): RedisConnection {
  const options: ConnectionOptions = {
    ...behaviour[mode],
    retryStrategy: (times) => Math.min(50 * 2 ** Math.min(times, 10), RECONNECT_MAX_MS),
    maxLoadingRetryTime: LOADING_ANSWER_MS,
    // A read-only reply means that the master moved: find it, and send the command there.
    reconnectOnError: (error) => (isReadOnly(error) ? 2 : false),
  };
  const client = createClient(url, options);
  if (client instanceof Cluster) ignoreRepliesToAsking(client);
  client.on("error", onError);
  return client;
}

/** A master that became a replica replies so to writes. */
export function isReadOnly({ message }: Error): boolean {
  return message.startsWith("READONLY");
}

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
  // Longer than BullMQ waits for the next job: 10 s.
  retrying: { maxRetriesPerRequest: null, socketTimeout: 12_000 },
};

function createClient(url: string, options: ConnectionOptions): RedisConnection {
  if (url.startsWith("sentinel://")) return new Redis({ ...options, ...sentinelOptions(url) });
  if (url.startsWith("unix://")) return new Redis({ ...options, path: url.slice("unix://".length) });
  if (url.includes(",")) return createCluster(url, options);
  return new Redis(url, options);
}

function createCluster(url: string, redisOptions: ConnectionOptions): Cluster {
  const nodes = url.split(",").map((node) => parseUrl(node.includes("://") ? node : `redis://${node}`));
  const [first] = nodes;
  const tls = first?.protocol === "rediss:" ? { tls: {} } : {};
  return new Cluster(
    nodes.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 6379) })),
    {
      redisOptions: { ...redisOptions, ...tls, ...credentials(first) },
      enableOfflineQueue: redisOptions.enableOfflineQueue ?? true,
    },
  );
}

function sentinelOptions(url: string): ConnectionOptions {
  const match = /^sentinel:\/\/(?:([^@/]*)@)?([^/?]+)\/([^/?]+)(?:\?db=(\d+))?$/.exec(url);
  if (match === null)
    throw unreadable("expected sentinel://[user:password@]host:port,host:port/MASTER[?db=N]");
  const [, userInfo = "", hosts = "", name = "", db = "0"] = match;
  const sentinels = hosts.split(",").map((host) => parseUrl(`redis://${host}`));
  return {
    sentinels: sentinels.map(({ hostname, port }) => ({ host: hostname, port: Number(port || 26379) })),
    name,
    db: Number(db),
    ...credentials(parseUrl(`redis://${userInfo}@host`)),
  };
}

function credentials(url: URL | undefined): Pick<ConnectionOptions, "username" | "password"> {
  const username = decodeURIComponent(url?.username ?? "");
  const password = decodeURIComponent(url?.password ?? "");
  return { ...(username && { username }), ...(password && { password }) };
}

function parseUrl(text: string): URL {
  if (!URL.canParse(text)) throw unreadable("expected host:port");
  return new URL(text);
}

function unreadable(message: string): HoldfastError {
  return new HoldfastError("CONFIG_INVALID", `REDIS_URL: ${message}, got (hidden)`);
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

/** The servers that hold the data: one, or the masters of a cluster. */
export function serversOf(client: RedisConnection): Redis[] {
  return client instanceof Cluster ? client.nodes("master") : [client];
}

/**
 * Opens another connection to the same Redis, e.g. for a subscription, which needs its own.
 *
 * @param options where they differ from the first connection's
 */
export function duplicate(client: RedisConnection, options: ConnectionOptions = {}): RedisConnection {
  return client instanceof Cluster
    ? client.duplicate([], { redisOptions: options })
    : client.duplicate(options);
}

export function modeOf(client: RedisConnection): ConnectionMode {
  const { maxRetriesPerRequest } =
    client instanceof Cluster ? (client.options.redisOptions ?? {}) : client.options;
  return maxRetriesPerRequest === null ? "retrying" : "fail-fast";
}

/** The address of the server that holds a key. */
export async function masterOf(client: RedisConnection, key: string): Promise<string> {
  if (!(client instanceof Cluster)) return "the only server";
  const slot = Number(await client.cluster("KEYSLOT", key));
  return client.slots[slot]?.[0] ?? "no server";
}
