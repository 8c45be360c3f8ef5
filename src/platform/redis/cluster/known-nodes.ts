import type { Cluster } from "ioredis";
import { type Address, addressName } from "../redis-url.ts";

/** Nodes of one cluster. All connections of a process to it share them, and begin with them. */
class KnownNodes {
  readonly #configured: readonly Address[];
  #known: readonly Address[];

  constructor(configured: readonly Address[]) {
    this.#configured = configured;
    this.#known = configured;
  }

  /** Those that serve slots now, and those that `REDIS_URL` names, which can lead elsewhere tomorrow. */
  get all(): Address[] {
    return [...this.#known];
  }

  renew(serving: readonly Address[]): void {
    const all = new Map([...serving, ...this.#configured].map((address) => [addressName(address), address]));
    this.#known = [...all.values()];
  }

  /** Nodes that serve no slots yet may be all that is left before the client renews. */
  hear(of: readonly Address[]): void {
    const all = new Map([...this.#known, ...of].map((address) => [addressName(address), address]));
    this.#known = [...all.values()];
  }
}

const shared = new WeakMap<Cluster, KnownNodes>();

/**
 * ioredis begins each new connection, and each that it makes anew, with the nodes of the first one's start. Once all of those were replaced,
 * none would come about.
 *
 * @param from the connection that this one is a duplicate of
 */
export function shareNodes(cluster: Cluster, from?: Cluster): void {
  const nodes = (from && shared.get(from)) ?? new KnownNodes(startOf(cluster).map(addressIn));
  shared.set(cluster, nodes);
  Object.defineProperty(cluster, "startupNodes", { get: () => nodes.all });
  cluster.on("refresh", () => {
    const serving = cluster.nodes().map(({ options }) => addressIn(options));
    if (serving.length > 0) nodes.renew(serving);
  });
}

/** Nodes that others have named are known until the client renews its own list. */
export function hearOfNodes(cluster: Cluster, named: readonly Address[]): void {
  shared.get(cluster)?.hear(named.filter(({ host, port }) => host !== "" && port > 0));
}

/** The nodes that a connection would begin with now. */
export function knownNodesOf(cluster: Cluster): readonly Address[] {
  return shared.get(cluster)?.all ?? [];
}

interface Named {
  readonly host?: string | undefined;
  readonly port?: number | undefined;
}

/** As ioredis has them inside of a cluster's client, though its types hide that. */
function startOf(cluster: Cluster): readonly Named[] {
  return Reflect.get(cluster, "startupNodes");
}

function addressIn({ host = "", port = 0 }: Named): Address {
  return { host, port };
}
