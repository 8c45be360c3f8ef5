import type { Redis } from "ioredis";

/** What one node of a cluster says about itself, and of the others. */
export interface ClusterNode {
  /** "" where Redis does not say. */
  readonly id: string;
  readonly isMaster: boolean;
  /** Of two masters that say that they have a slot, the one with the higher number is right. */
  readonly configEpoch: number;
  /** How many replicas it has, those that are down included. */
  readonly replicas: number;
  /** Every other node that it knows. */
  readonly others: readonly OtherNode[];
  /** How many of its slots are being moved, to it or away from it. */
  readonly openSlots: number;
  /** Of its slots that are being moved away: the id of the node that gets them. */
  readonly migrating: ReadonlyMap<number, string>;
  /** Slots that are being moved to it. */
  readonly importing: ReadonlySet<number>;
  owns(slot: number): boolean;
  /** All masters that it knows, itself included. */
  readonly masters: readonly KnownMaster[];
}

/** A master, as another node knows it. */
export interface KnownMaster {
  readonly id: string;
  readonly host: string;
  readonly port: number;
  /** Whether the nodes have agreed that it cannot be reached. */
  readonly hasFailed: boolean;
  readonly servesSlots: boolean;
}

/** Another node, as one of them knows it. */
export interface OtherNode {
  readonly id: string;
  /** `host:port`, without the host where it is not known. */
  readonly address: string;
  /** The id of its master; undefined for a master. */
  readonly master: string | undefined;
  readonly servesSlots: boolean;
  readonly hasFailed: boolean;
  /** Whether nothing promotes it: `cluster-replica-no-failover yes`. */
  readonly isBarred: boolean;
}

/** `host:port` of a server, or its socket. */
export function addressOf({ options: { host = "", port = 0, path } }: Redis): string {
  return path ?? `${host}:${port}`;
}

/** @returns undefined where Redis forbids `CLUSTER NODES` */
export async function readClusterNode(server: Redis): Promise<ClusterNode | undefined> {
  try {
    return parseClusterNodes(String(await server.call("CLUSTER", "NODES")));
  } catch (error) {
    // Its ACL may lack the command, and hosted Redis may not have it.
    if (error instanceof Error && /^(NOPERM|ERR)/.test(error.message)) return undefined;
    throw error;
  }
}

/** Each line is `id address flags master ping pong epoch link slot…`; a slot in brackets is being moved. */
export function parseClusterNodes(text: string): ClusterNode {
  const nodes = text
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => line.split(" "));
  const [id = "", , flags = "", , , , configEpoch, , ...slots] =
    nodes.find(([, , of = ""]) => of.includes("myself")) ?? [];
  const open = slots.flatMap((slot) => {
    const [, number, direction, other = ""] = /^\[(\d+)-([<>])-(.*)\]$/.exec(slot) ?? [];
    return number === undefined ? [] : [{ slot: Number(number), isLeaving: direction === ">", other }];
  });
  const ranges = slots
    .filter((slot) => !slot.startsWith("["))
    .map((range) => range.split("-").map(Number) as [number, number?]);
  return {
    id,
    isMaster: flags.split(",").includes("master"),
    configEpoch: Number(configEpoch),
    replicas: nodes.filter(([, , , master]) => master !== undefined && master === id).length,
    others: nodes.filter(([, , of = ""]) => !/myself|handshake/.test(of)).map(otherNode),
    openSlots: open.length,
    migrating: new Map(open.filter(({ isLeaving }) => isLeaving).map(({ slot, other }) => [slot, other])),
    importing: new Set(open.filter(({ isLeaving }) => !isLeaving).map(({ slot }) => slot)),
    owns: (slot) => ranges.some(([first, last = first]) => first <= slot && slot <= last),
    masters: nodes.flatMap(knownMaster),
  };
}

function otherNode([
  id = "",
  address = "",
  flags = "",
  master,
  ,
  ,
  ,
  ,
  ...slots
]: readonly string[]): OtherNode {
  const known = flags.split(",");
  return {
    id,
    address: address.replace(/[@,].*$/, ""),
    master: known.includes("slave") ? master : undefined,
    servesSlots: slots.length > 0,
    hasFailed: known.includes("fail"),
    isBarred: known.includes("nofailover"),
  };
}

/**
 * The masters that must have no key of a slot if its owner is to have all of them. For a moment two masters can say that it is theirs: one
 * that another has replaced, which has a copy of all keys, and does not count; or one that loses the slot, which may have some.
 */
export function othersThan(
  owner: ClusterNode | undefined,
  masters: readonly ClusterNode[],
  slot: number,
): ClusterNode[] {
  const isServing = (id: string) =>
    owner?.masters.some((known) => known.id === id && known.servesSlots && !known.hasFailed) ?? false;
  return masters.filter((node) => node !== owner && (!node.owns(slot) || isServing(node.id)));
}

/** The master that a slot is with. */
export function ownerOf(slot: number, masters: readonly ClusterNode[]): ClusterNode | undefined {
  const owners = masters.filter((node) => node.owns(slot));
  return owners.sort((a, b) => b.configEpoch - a.configEpoch)[0];
}

/** A node that has just been met, or was lost, has no address yet. */
function knownMaster([
  id = "",
  address = "",
  flags = "",
  ,
  ,
  ,
  ,
  ,
  ...slots
]: readonly string[]): KnownMaster[] {
  const known = flags.split(",");
  if (!known.includes("master") || known.includes("handshake") || known.includes("noaddr")) return [];
  const [, host = "", port] = /^(.*):(\d+)(?:@|$)/.exec(address.split(",")[0] ?? "") ?? [];
  return [{ id, host, port: Number(port), hasFailed: known.includes("fail"), servesSlots: slots.length > 0 }];
}
