import { once } from "node:events";
import type { Cluster, Redis } from "ioredis";
import { CONNECTION_CLOSED } from "../redis-errors.ts";
import { guardSlots } from "./slot-guard.ts";
import { SlotWatch } from "./slot-watch.ts";

/** Mends how ioredis behaves while a slot moves, when nodes do not say their hosts, and when the connection is closed. */
export function mendCluster(cluster: Cluster, watch = new SlotWatch()): void {
  ignoreRepliesToAsking(cluster);
  guardSlots(cluster, watch);
  boundTryAgain(cluster);
  stayEnded(cluster);
  giveUpWhenDisconnected(cluster);
  boundReadyCheck(cluster);
  endEachConnect(cluster);
  mendSlots(cluster);
  const duplicate = cluster.duplicate.bind(cluster);
  cluster.duplicate = (...args) => {
    const other = duplicate(...args);
    mendCluster(other, watch);
    return other;
  };
}

/**
 * While a slot moves, ioredis sends `ASKING` before a command and nobody looks at its reply. If the connection is lost then, the
 * reply would be an unhandled rejection, which ends the process. The command behind it reports the loss.
 */
function ignoreRepliesToAsking(cluster: Cluster): void {
  for (const node of cluster.nodes()) ignoreReplies(node);
  cluster.on("+node", ignoreReplies);
}

/** 100 ms apart. */
const TRIES_AGAIN_MAX = 10;

/**
 * Whoever sent a command learns that its slot is moving, even where ioredis follows redirections without bound: an attempt renews its
 * lock before it sends its end again, and a claim is given up.
 */
function boundTryAgain(cluster: Cluster): void {
  const handle = cluster.handleError.bind(cluster);
  const tries = new WeakMap<object, number>();
  cluster.handleError = (error, ttl, handlers) => {
    const count = (tries.get(ttl) ?? 0) + 1;
    if (!error.message.startsWith("TRYAGAIN")) return handle(error, ttl, handlers);
    if (count > TRIES_AGAIN_MAX) return handlers.defaults();
    tries.set(ttl, count);
    return handle(error, ttl, handlers);
  };
}

/** Each node that closes sets the status to `close`, even after `end`. Then a command would wait for ever. */
function stayEnded(cluster: Cluster): void {
  let hasEnded = false;
  cluster.on("connecting", () => {
    hasEnded = false;
  });
  cluster.on("end", () => {
    hasEnded = true;
  });
  cluster.on("close", () => {
    if (hasEnded && cluster.status === "close") cluster.status = "end";
  });
}

/**
 * A command that is redirected is sent again a moment later. If the connection was closed meanwhile, ioredis would open a node for it
 * that keeps the connection from ending, and let the command wait for ever: a worker could not stop.
 */
function giveUpWhenDisconnected(cluster: Cluster): void {
  const handle = cluster.handleError.bind(cluster);
  cluster.handleError = (error, ttl, handlers) => {
    const unlessClosed =
      (sendAgain: (...args: unknown[]) => void) =>
      (...args: unknown[]) =>
        isClosed(cluster) ? handlers.maxRedirections(new Error(CONNECTION_CLOSED)) : sendAgain(...args);
    handle(error, ttl, {
      ...handlers,
      moved: unlessClosed(handlers.moved),
      tryagain: unlessClosed(handlers.tryagain),
      connectionClosed: unlessClosed(handlers.connectionClosed),
    });
  };
}

/** As long as ioredis waits for the slots. */
const READY_CHECK_MS = 1_000;

/** What ioredis does before a connection is ready, though its types hide it. */
interface ReadyChecker {
  readyCheck(done: (error?: Error, state?: string) => void): void;
}

/** ioredis asks any node, and waits for one that is paused as long as that takes. After a failed check it connects again. */
function boundReadyCheck(cluster: Cluster): void {
  const checker = cluster as unknown as ReadyChecker;
  const check = checker.readyCheck.bind(cluster);
  checker.readyCheck = (done) => {
    let isOver = false;
    const finish: typeof done = (error, state) => {
      clearTimeout(timer);
      if (!isOver) done(error, state);
      isOver = true;
    };
    const timer = setTimeout(() => finish(new Error("A node did not answer in time")), READY_CHECK_MS);
    check(finish);
  };
}

/** When a ready check fails, ioredis forgets whoever waits for the connection. BullMQ would wait for ever, and claim nothing. */
function endEachConnect(cluster: Cluster): void {
  const connect = cluster.connect.bind(cluster);
  cluster.connect = async () => {
    const listening = new AbortController();
    const { signal } = listening;
    const ready = once(cluster, "ready", { signal });
    const closed = once(cluster, "close", { signal }).then(() => {
      throw new Error(CONNECTION_CLOSED);
    });
    const connected = Promise.race([connect(), ready, closed]);
    try {
      await connected;
    } finally {
      listening.abort();
      for (const waiting of [ready, closed]) waiting.catch(() => {});
    }
  };
}

function isClosed({ status }: Cluster): boolean {
  return status === "disconnecting" || status === "close" || status === "end";
}

function ignoreReplies(node: Redis): void {
  const asking = node.asking.bind(node);
  node.asking = () => {
    const reply = asking();
    reply.catch(() => {});
    return reply;
  };
}

type Done = (error: Error | null, ranges?: SlotRange[]) => void;
/** Of the reply to `CLUSTER SLOTS`: first and last slot, then the nodes, the master first. */
type SlotRange = readonly [number, number, ...SlotNode[]];
/** Its preferred endpoint, its port, its id, and its other endpoints by name. */
type SlotNode = [endpoint: string | null, port: number, id?: string, others?: readonly string[]];

/** What ioredis calls to read the slots, though its types hide it. */
interface SlotReader {
  getInfoFromNode(node: Redis | undefined, done: (error?: Error) => void): void;
}

/**
 * Mends how ioredis reads which node has which slot. With `cluster-preferred-endpoint-type unknown-endpoint` nodes say only their ports: the
 * host is the one that was asked, which ioredis does not know. And it hides why a node could not be asked.
 */
export function mendSlots(cluster: Cluster): void {
  const reader = cluster as unknown as SlotReader;
  const read = reader.getInfoFromNode.bind(cluster);
  reader.getInfoFromNode = (node, done) => read(node && asked(node), done);
  const handle = cluster.handleError.bind(cluster);
  cluster.handleError = (error, ttl, handlers) => {
    error.message = withHost(error.message, cluster);
    handle(error, ttl, handlers);
  };
}

/** The node, whose copies complete what they read. */
function asked(node: Redis): Redis {
  const { host = "" } = node.options;
  return Object.create(node, {
    duplicate: {
      value: (options: Parameters<Redis["duplicate"]>[0]) => {
        const copy = node.duplicate(options);
        let failure: Error | undefined;
        copy.on("error", (error) => {
          failure = error;
        });
        const ask = copy.cluster.bind(copy) as (what: string, done: Done) => unknown;
        const answer = (what: string, done: Done) =>
          ask(what, (error, ranges) =>
            done(
              error && (failure ?? error),
              ranges?.map((range) => named(range, host)),
            ),
          );
        Object.assign(copy, { cluster: answer });
        return copy;
      },
    },
  }) as Redis;
}

function named([first, last, ...nodes]: SlotRange, askedHost: string): SlotRange {
  return [
    first,
    last,
    ...nodes.map(([endpoint, ...rest]): SlotNode => [hostOf(endpoint, rest[2], askedHost), ...rest]),
  ];
}

/** "?" stands for a host name that was not configured. */
function hostOf(endpoint: string | null, others: readonly string[] = [], askedHost: string): string {
  if (endpoint === "?") return others[others.indexOf("ip") + 1] || askedHost;
  return endpoint || askedHost;
}

/** `MOVED 7 :7000` names no host: it is that of a node with this port, or of any. */
function withHost(redirection: string, cluster: Cluster): string {
  const [, what, port] = /^((?:MOVED|ASK) \d+) :(\d+)$/.exec(redirection) ?? [];
  if (what === undefined) return redirection;
  const nodes = cluster.nodes().map(({ options }) => options);
  const { host = "" } = nodes.find((node) => String(node.port) === port) ?? nodes[0] ?? {};
  return `${what} ${host}:${port}`;
}
