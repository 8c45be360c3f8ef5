import { type Info, replicaLines } from "../fitness/info.ts";

/** The replicas of one master, by `host:port`. */
export interface Replicas {
  /** Those that could be promoted without a person. One that is away counts: it can come back, and be promoted then. */
  readonly promotable: ReadonlySet<string>;
  /** Those that nothing promotes: `replica-priority 0`, `cluster-replica-no-failover yes`. */
  readonly others: ReadonlySet<string>;
}

/** Why a write is not confirmed. */
export interface Unconfirmed {
  readonly reached: number;
  readonly wanted: number;
  /** Replicas that could be promoted, and are not connected. */
  readonly away: readonly string[];
}

/** A replica as its master's `INFO` shows it. */
interface Connected {
  readonly address: string;
  readonly isOnline: boolean;
  /** Seconds since it last reported. */
  readonly lag: number;
}

/** A replica reports each second. One that hangs stays "online" for a minute. */
const SILENT_AFTER_S = 3;

/** How many replicas must confirm a write, as the master's connections are now, and which are missing. */
export interface Demand {
  readonly wanted: number;
  readonly away: readonly string[];
}

/**
 * Every replica that could be promoted must confirm, or both sides of a split network can. `WAIT` counts, and names nobody, so those that
 * cannot be promoted must confirm as well while they report: otherwise one of them would stand for another. Who is connected and not known
 * yet counts like one that can be promoted.
 */
export function demandOf(replicas: Replicas, info: Info): Demand {
  const connected = connectedIn(info);
  if (areStrangers(replicas, connected))
    return { wanted: Math.max(replicas.promotable.size + replicas.others.size, connected.length), away: [] };
  const away = [...replicas.promotable].filter(
    (address) => !connected.some((replica) => replica.address === address),
  );
  const confirming = connected.filter(
    (replica) => !replicas.others.has(replica.address) || isOnline(replica),
  );
  return { wanted: away.length + confirming.length, away };
}

/** How many could be promoted. */
export function promotableCount(replicas: Replicas, info: Info): number {
  const connected = connectedIn(info);
  if (areStrangers(replicas, connected)) return replicas.promotable.size;
  const unknown = connected.filter(
    ({ address }) => !replicas.promotable.has(address) && !replicas.others.has(address),
  );
  return replicas.promotable.size + unknown.length;
}

/** How many of those that could be promoted are in sync and report. */
export function onlineOf(replicas: Replicas, info: Info): number {
  return connectedIn(info).filter((replica) => !replicas.others.has(replica.address) && isOnline(replica))
    .length;
}

/** Behind a translation of addresses, nodes know each other by others than a master sees. */
function areStrangers({ promotable, others }: Replicas, connected: readonly Connected[]): boolean {
  if (connected.length === 0 || promotable.size + others.size === 0) return false;
  return !connected.some(({ address }) => promotable.has(address) || others.has(address));
}

/** @returns undefined if `reached` replicas are all that must confirm */
export function unconfirmedBy(replicas: Replicas, info: Info, reached: number): Unconfirmed | undefined {
  const { wanted, away } = demandOf(replicas, info);
  return away.length === 0 && reached >= wanted ? undefined : { reached, wanted, away };
}

function connectedIn(info: Info): Connected[] {
  return replicaLines(info).map((line) => {
    const of = (name: string) => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(line)?.[1] ?? "";
    return {
      address: `${of("ip")}:${of("port")}`,
      isOnline: of("state") === "online",
      lag: Number(of("lag")),
    };
  });
}

function isOnline({ isOnline: isInSync, lag }: Connected): boolean {
  return isInSync && lag <= SILENT_AFTER_S;
}
