import type { Cluster, Redis } from "ioredis";

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
