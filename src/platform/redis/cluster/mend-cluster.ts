import { once } from "node:events";
import type { Cluster, Redis } from "ioredis";
import { mendServer } from "../mend-server.ts";
import { CONNECTION_CLOSED } from "../redis-errors.ts";
import { insideOf } from "./inside-of.ts";
import { shareNodes } from "./known-nodes.ts";
import { guardSlots, lookIfOpen } from "./slot-guard.ts";
import { SlotWatch } from "./slot-watch.ts";

/** What ioredis does inside a cluster's client, though its types hide it. */
interface Inside {
  getInfoFromNode(node: Redis | undefined, done: (error?: Error) => void): void;
  readyCheck(done: (error?: Error, state?: string) => void): void;
  readonly subscriber: { start(): void };
}

type Mend = (cluster: Cluster, watch: SlotWatch) => void;

/** Mends how ioredis behaves while a slot moves, when nodes do not say their hosts, and when the connection is closed. */
export function mendCluster(cluster: Cluster, watch = new SlotWatch()): void {
  for (const mend of mends) mend(cluster, watch);
}

/**
 * While a slot moves, ioredis sends `ASKING` before a command and nobody looks at its reply. If the connection is lost then, the
 * reply would be an unhandled rejection, which ends the process. The command behind it reports the loss.
 */
const ignoreRepliesToAsking: Mend = (cluster) => {
  const ignoreReplies = (node: Redis) => {
    const asking = node.asking.bind(node);
    node.asking = () => {
      const reply = asking();
      reply.catch(() => {});
      return reply;
    };
  };
  for (const node of cluster.nodes()) ignoreReplies(node);
  cluster.on("+node", ignoreReplies);
};

/** 100 ms apart. */
const TRIES_AGAIN_MAX = 10;

/**
 * Bounds `TRYAGAIN`, even where ioredis follows redirections without bound: whoever sent a command learns that its slot is moving. An
 * attempt renews its lock before it sends its end again, and a claim is given up.
 *
 * Sends nothing again once the connection is closed: ioredis would open a node for it that keeps the connection from ending, and let
 * the command wait for ever. A worker could not stop.
 */
const boundRedirections: Mend = (cluster, watch) => {
  const handle = cluster.handleError.bind(cluster);
  const tries = new WeakMap<object, number>();
  cluster.handleError = (error, ttl, handlers) => {
    error.message = withHost(error.message, cluster);
    if (error.message.startsWith("TRYAGAIN")) {
      const count = (tries.get(ttl) ?? 0) + 1;
      if (count > TRIES_AGAIN_MAX) return handlers.defaults();
      tries.set(ttl, count);
    }
    lookIfOpen(watch, error);
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
};

function isClosed({ status }: Cluster): boolean {
  return status === "disconnecting" || status === "close" || status === "end";
}

/** `MOVED 7 :7000` names no host: it is that of a node with this port, or of any. */
function withHost(redirection: string, cluster: Cluster): string {
  const [, what, port] = /^((?:MOVED|ASK) \d+) :(\d+)$/.exec(redirection) ?? [];
  if (what === undefined) return redirection;
  const nodes = cluster.nodes().map(({ options }) => options);
  const { host = "" } = nodes.find((node) => String(node.port) === port) ?? nodes[0] ?? {};
  return `${what} ${host}:${port}`;
}

/** Each node that closes sets the status to `close`, even after `end`. Then a command would wait for ever. */
const stayEnded: Mend = (cluster) => {
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
};

/** As long as ioredis waits for the slots. */
const READY_CHECK_MS = 1_000;

/** ioredis asks any node, and waits for one that is paused as long as that takes. After a failed check it connects again. */
const boundReadyCheck: Mend = (cluster) => {
  const inside = insideOf<Inside>(cluster, "getInfoFromNode", "readyCheck");
  const check = inside.readyCheck.bind(cluster);
  inside.readyCheck = (done) => {
    let isOver = false;
    const finish: typeof done = (error, state) => {
      clearTimeout(timer);
      if (!isOver) done(error, state);
      isOver = true;
    };
    const timer = setTimeout(() => finish(new Error("A node did not answer in time")), READY_CHECK_MS);
    check(finish);
  };
};

/** Nobody sends SUBSCRIBE to a cluster, only SSUBSCRIBE, which has connections of its own. */
const openNoSubscriber: Mend = (cluster) => {
  insideOf<Inside>(cluster, "subscriber").subscriber.start = () => {};
};

/** When a ready check fails, ioredis forgets whoever waits for the connection. BullMQ would wait for ever, and claim nothing. */
const endEachConnect: Mend = (cluster) => {
  const connect = cluster.connect.bind(cluster);
  cluster.connect = async () => {
    const listening = new AbortController();
    const { signal } = listening;
    const ready = once(cluster, "ready", { signal });
    const closed = once(cluster, "close", { signal }).then(() => {
      throw new Error(CONNECTION_CLOSED);
    });
    try {
      await Promise.race([connect(), ready, closed]);
    } finally {
      listening.abort();
      for (const waiting of [ready, closed]) waiting.catch(() => {});
    }
  };
};

type Done = (error: Error | null, ranges?: SlotRange[]) => void;
/** Of the reply to `CLUSTER SLOTS`: first and last slot, then the nodes, the master first. */
type SlotRange = readonly [number, number, ...SlotNode[]];
/** Its preferred endpoint, its port, its id, and its other endpoints by name. */
type SlotNode = [endpoint: string | null, port: number, id?: string, others?: readonly string[]];

/**
 * With `cluster-preferred-endpoint-type unknown-endpoint` nodes say only their ports: the host is the one that was asked, which ioredis
 * does not know. And it hides why a node could not be asked.
 */
const completeHosts: Mend = (cluster) => {
  const inside = insideOf<Inside>(cluster, "getInfoFromNode", "readyCheck");
  const read = inside.getInfoFromNode.bind(cluster);
  inside.getInfoFromNode = (node, done) => read(node && asked(node), done);
};

/** The same node, but its duplicates add the missing hosts to what they read. */
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

const mendCopies: Mend = (cluster, watch) => {
  const duplicate = cluster.duplicate.bind(cluster);
  cluster.duplicate = (...args) => {
    const other = duplicate(...args);
    mendCluster(other, watch);
    shareNodes(other, cluster);
    return other;
  };
};

const mendNodes: Mend = (cluster) => {
  for (const node of cluster.nodes()) mendServer(node);
  cluster.on("+node", mendServer);
};

const mends: readonly Mend[] = [
  mendNodes,
  guardSlots,
  ignoreRepliesToAsking,
  boundRedirections,
  stayEnded,
  boundReadyCheck,
  openNoSubscriber,
  endEachConnect,
  completeHosts,
  mendCopies,
];
