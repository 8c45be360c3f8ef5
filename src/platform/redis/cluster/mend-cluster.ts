import { once } from "node:events";
import type { Cluster, Redis } from "ioredis";
import { CONNECTION_CLOSED } from "../connection-closed.ts";
import { mendSlots } from "./cluster-slots.ts";
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
