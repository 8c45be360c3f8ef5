import type { Redis } from "ioredis";

/** What one node of a cluster says about itself, and of the others. */
export interface ClusterNode {
  /** "" where Redis does not say. */
  readonly id: string;
  readonly isMaster: boolean;
  /** How many replicas it has, those that are down included. */
  readonly replicas: number;
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
  const [id = "", , flags = "", , , , , , ...slots] =
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
    replicas: nodes.filter(([, , , master]) => master !== undefined && master === id).length,
    openSlots: open.length,
    migrating: new Map(open.filter(({ isLeaving }) => isLeaving).map(({ slot, other }) => [slot, other])),
    importing: new Set(open.filter(({ isLeaving }) => !isLeaving).map(({ slot }) => slot)),
    owns: (slot) => ranges.some(([first, last = first]) => first <= slot && slot <= last),
    masters: nodes.flatMap(knownMaster),
  };
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
