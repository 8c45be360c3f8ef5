import type { Cluster, Redis } from "ioredis";

/**
 * While a slot moves, ioredis sends `ASKING` before a command and nobody looks at its reply. If the connection is lost then, the
 * reply would be an unhandled rejection, which ends the process. The command behind it reports the loss.
 */
export function ignoreRepliesToAsking(cluster: Cluster): void {
  for (const node of cluster.nodes()) ignoreReplies(node);
  cluster.on("+node", ignoreReplies);
  const duplicate = cluster.duplicate.bind(cluster);
  cluster.duplicate = (...args) => {
    const other = duplicate(...args);
    ignoreRepliesToAsking(other);
    return other;
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
