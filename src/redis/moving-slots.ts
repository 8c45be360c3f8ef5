import type { Cluster, Redis } from "ioredis";

/** Mends how ioredis behaves while a slot moves. */
export function prepareForMovingSlots(cluster: Cluster): void {
  ignoreRepliesToAsking(cluster);
  boundTryAgain(cluster);
  const duplicate = cluster.duplicate.bind(cluster);
  cluster.duplicate = (...args) => {
    const other = duplicate(...args);
    prepareForMovingSlots(other);
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

function ignoreReplies(node: Redis): void {
  const asking = node.asking.bind(node);
  node.asking = () => {
    const reply = asking();
    reply.catch(() => {});
    return reply;
  };
}
