import type { Cluster, Redis } from "ioredis";
import { withDeadline } from "../../lib/deadline.ts";
import { ageOf, type Moment, momentNow, NEVER } from "../../lib/moment.ts";
import { oneAtATime } from "../../lib/one-at-a-time.ts";
import {
  addressOf,
  type ClusterNode,
  type KnownMaster,
  othersThan,
  ownerOf,
  readClusterNode,
} from "./cluster-node.ts";
import { hearOfNodes } from "./known-nodes.ts";

/** Whether all keys of a slot are with the master that serves it. */
export type SlotState =
  | { readonly kind: "whole"; readonly owners: readonly string[] }
  /** Its owner knows that it is being moved, and refuses scripts itself. */
  | { readonly kind: "moving"; readonly why: string }
  /** To its owner, keys that another node has look absent. Nothing may use it. */
  | { readonly kind: "half-moved"; readonly why: string }
  /** A master that may have keys of it is away. */
  | { readonly kind: "unknown"; readonly why: string }
  /** Redis forbids to ask. */
  | { readonly kind: "unsaid" };

interface AskedMaster {
  readonly address: string;
  readonly server: Redis;
  readonly node: ClusterNode;
}

/** What the masters said. */
interface Reading {
  /** When the first was asked. */
  readonly askedAt: Moment;
  readonly masters: readonly AskedMaster[];
  /** Those that could not be asked. */
  readonly silent: readonly KnownMaster[];
  readonly isForbidden: boolean;
}

const LOOK_EVERY_MS = 2_000;
/** Commands that are refused are tried again as often. */
const OPEN_MS = 100;
const ANSWERS_WITHIN_MS = 1_000;
/**
 * How long the masters' answers are believed, in milliseconds: a process that slept knows nothing of what happened meanwhile. Longer
 * than the next answers take where a master is silent.
 */
export const VIEW_MS = 5_000;

/** The master that was found to have all of a slot. Whichever is promoted later has a higher number. */
interface WholeAt {
  readonly address: string;
  readonly configEpoch: number;
}

/**
 * Watches the slots of one cluster for all connections of a process to it.
 *
 * A master that knows that a slot is being moved refuses scripts. But a replica that is promoted meanwhile does not know, and neither
 * does a master whose slot was closed by force: to them, keys that have moved look absent. So a connection uses a slot on a master
 * only after all masters were asked, and found to have no part of it.
 */
export class SlotWatch {
  /** Of each slot that is known to be whole: the master that serves it. */
  readonly #whole = new Map<number, WholeAt>();
  /** Of each slot that was seen open: the ids of the nodes that may have some of its keys. */
  readonly #importers = new Map<number, Set<string>>();
  readonly #states = new Map<number, { readonly askedAt: Moment; readonly state: Promise<SlotState> }>();
  /** Masters without slots, which a cluster's client does not know. */
  readonly #strangers = new Map<string, Redis>();
  readonly #connections = new Set<Cluster>();
  readonly #look = oneAtATime(() => this.#lookAtAll());
  /** What the masters said when all of them could be asked. */
  #lastComplete: readonly AskedMaster[] = [];
  #lookedAt = NEVER;
  /** When the masters were asked that have answered last. */
  #viewedAt = NEVER;
  #timer: NodeJS.Timeout | undefined;

  /** Uses a connection for its questions until that ends. */
  add(cluster: Cluster): void {
    this.#connections.add(cluster);
    this.#timer ??= setInterval(() => this.lookSoon(), LOOK_EVERY_MS).unref();
    cluster.on("end", () => {
      this.#connections.delete(cluster);
      if (this.#connections.size === 0) this.#stop();
    });
    cluster.on("connecting", () => this.#connections.add(cluster));
  }

  /** Whether a slot may be used on a master without asking. */
  mayUse(slot: number, address: string): boolean {
    return this.#whole.get(slot)?.address === address && ageOf(this.#viewedAt) <= VIEW_MS;
  }

  /** Asks all masters for open slots, and about this one if it is not known to be whole. Never rejects. */
  async look(slot: number): Promise<SlotState> {
    await this.#look().catch(() => {});
    const whole = this.#whole.get(slot);
    const isKnown = whole !== undefined && this.mayUse(slot, whole.address);
    return isKnown ? { kind: "whole", owners: [whole.address] } : await this.state(slot);
  }

  /** Asks all masters about a slot, at most ten times a second. Never rejects. */
  state(slot: number): Promise<SlotState> {
    const last = this.#states.get(slot);
    if (last !== undefined && ageOf(last.askedAt) < OPEN_MS) return last.state;
    return this.stateNow(slot);
  }

  /** Asks all masters about a slot. Never rejects. */
  stateNow(slot: number): Promise<SlotState> {
    const state = this.#ask(slot);
    this.#states.set(slot, { askedAt: momentNow(), state });
    return state;
  }

  /** Looks for open slots: a master has just said that one is, or time has passed. */
  lookSoon(): void {
    if (ageOf(this.#lookedAt) < OPEN_MS) return;
    if (this.#connection() !== undefined) this.#look().catch(() => {});
  }

  async #ask(slot: number): Promise<SlotState> {
    const reading = await this.#lookNow().catch(() => undefined);
    const state = reading && (await this.#stateOf(slot, reading).catch(() => undefined));
    this.#whole.delete(slot);
    if (reading === undefined || state === undefined) return { kind: "unknown", why: "no master answers" };
    if (state.kind !== "whole") return state;
    this.#importers.delete(slot);
    const [address = ""] = state.owners;
    const owner = reading.masters.find((master) => master.address === address);
    if (owner !== undefined && state.owners.length === 1)
      this.#whole.set(slot, { address, configEpoch: owner.node.configEpoch });
    return state;
  }

  async #stateOf(slot: number, reading: Reading): Promise<SlotState> {
    if (reading.isForbidden) return { kind: "unsaid" };
    const owning = reading.masters.filter(({ node }) => node.owns(slot));
    // A master that comes back after another was promoted still believes for a moment that the slot is its own.
    if (owning.length > 0 && owning.every(({ node }) => node.migrating.has(slot)))
      return { kind: "moving", why: `it is being moved away from ${addresses(owning)}` };
    return (
      (await this.#halfMoved(slot, reading.masters)) ?? this.#wholeOrUnknown(slot, owning, reading.silent)
    );
  }

  /** The answers that others wait for already may be older than the process's sleep. */
  async #lookNow(): Promise<Reading> {
    for (;;) {
      const reading = await this.#look();
      if (ageOf(reading.askedAt) <= VIEW_MS) return reading;
    }
  }

  async #halfMoved(slot: number, masters: readonly AskedMaster[]): Promise<SlotState | undefined> {
    const importing = masters.filter(({ node }) => node.importing.has(slot));
    if (importing.length > 0)
      return halfMoved(`${addresses(importing)} was to get it, and its master does not know`);
    const nodes = masters.map(({ node }) => node);
    const mustHaveNone = othersThan(ownerOf(slot, nodes), nodes, slot);
    const others = masters.filter(({ node }) => mustHaveNone.includes(node));
    const counts = await Promise.all(others.map(({ server }) => countKeys(server, slot)));
    const having = others.filter((_, index) => counts[index] !== 0);
    for (const { node } of having) this.#rememberOpen(slot, node.id);
    return having.length === 0
      ? undefined
      : halfMoved(`${addresses(having)} has keys of it, and is not its master`);
  }

  #wholeOrUnknown(slot: number, owning: readonly AskedMaster[], silent: readonly KnownMaster[]): SlotState {
    const suspected = silent.filter((master) => this.#mayHaveKeys(slot, master));
    if (suspected.length === 0 || this.#wasWhole(slot, owning))
      return { kind: "whole", owners: owning.map(({ address }) => address) };
    const away = suspected.map(nameOf).join(", ");
    const why = `${away} may have keys of it, and cannot be asked`;
    return this.#importers.has(slot) ? halfMoved(why) : { kind: "unknown", why };
  }

  /** Whether this master had it already when all masters could be asked, and none was to get it. */
  #wasWhole(slot: number, owning: readonly AskedMaster[]): boolean {
    if (this.#importers.has(slot)) return false;
    const before = this.#lastComplete.filter(({ node }) => node.owns(slot));
    return owning.length > 0 && owning.every((owner) => before.some((master) => isSame(master, owner)));
  }

  async #lookAtAll(): Promise<Reading> {
    const askedAt = momentNow();
    this.#lookedAt = askedAt;
    const connection = this.#connection();
    if (connection === undefined) throw new Error("not connected");
    const pool = connection.nodes("master");
    const asked = await askAll(pool);
    const named = knownMasters(asked).filter(({ hasFailed }) => !hasFailed);
    hearOfNodes(
      connection,
      named.map(({ host, port }) => ({ host, port })),
    );
    const missing = named.filter(
      (master) => !isAmong(asked, master.id) && !pool.map(addressOf).includes(nameOf(master)),
    );
    const strangers = missing.map((master) => this.#stranger(connection, master));
    this.#forgetStrangers(strangers);
    const all = [...asked, ...(await askAll(strangers))];
    if (all.length === 0) throw new Error("no master answers");
    const masters = all.flatMap(({ node, ...rest }) => (node?.isMaster ? [{ ...rest, node }] : []));
    this.#remember(masters, askedAt);
    const silent = knownMasters(all).filter(({ id }) => !isAmong(all, id));
    if (silent.length === 0) this.#lastComplete = masters;
    return { askedAt, masters, silent, isForbidden: all.some(({ node }) => node === undefined) };
  }

  /** A master that has failed and serves nothing was replaced. But one that was to get a slot may never have served any. */
  #mayHaveKeys(slot: number, { id, hasFailed, servesSlots }: KnownMaster): boolean {
    return !hasFailed || servesSlots || (this.#importers.get(slot)?.has(id) ?? false);
  }

  #remember(masters: readonly AskedMaster[], askedAt: Moment): void {
    // What happened between two views that are too far apart, nobody saw.
    if (ageOf(this.#viewedAt) > VIEW_MS) {
      this.#whole.clear();
      this.#lastComplete = [];
    }
    this.#viewedAt = askedAt;
    for (const [slot, at] of this.#whole) if (hasChanged(slot, at, masters)) this.#whole.delete(slot);
    this.#rememberAllOpen(masters);
  }

  /** From now on each use of an open slot asks, until it was found whole. */
  #rememberAllOpen(masters: readonly AskedMaster[]): void {
    const closed = new Set(this.#importers.keys());
    for (const { node } of masters) {
      for (const slot of node.importing) this.#rememberOpen(slot, node.id);
      for (const [slot, to] of node.migrating) this.#rememberOpen(slot, to);
      for (const slot of [...node.importing, ...node.migrating.keys()]) closed.delete(slot);
    }
    for (const slot of closed) void this.state(slot);
  }

  #rememberOpen(slot: number, importer: string): void {
    const importers = this.#importers.get(slot) ?? new Set();
    this.#importers.set(slot, importers.add(importer));
    this.#whole.delete(slot);
  }

  #connection(): Cluster | undefined {
    return [...this.#connections].find(({ status }) => status === "ready");
  }

  #stranger(connection: Cluster, { host, port }: KnownMaster): Redis {
    const address = nameOf({ host, port });
    const known = this.#strangers.get(address);
    if (known !== undefined && known.status !== "end") return known;
    const [any] = connection.nodes("all");
    if (any === undefined) throw new Error("not connected");
    const stranger = any.duplicate({ host, port, retryStrategy: null, lazyConnect: true });
    stranger.on("error", () => {});
    this.#strangers.set(address, stranger);
    return stranger;
  }

  #forgetStrangers(needed: readonly Redis[]): void {
    for (const [address, stranger] of this.#strangers) {
      if (needed.includes(stranger)) continue;
      stranger.disconnect();
      this.#strangers.delete(address);
    }
  }

  #stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#forgetStrangers([]);
  }
}

/** Whether it has served without a break. */
function isSame(before: AskedMaster, now: AskedMaster): boolean {
  return before.address === now.address && before.node.configEpoch === now.node.configEpoch;
}

/** Whether a master says that it has been promoted since, or has the slot in another's place. */
function hasChanged(slot: number, at: WholeAt, masters: readonly AskedMaster[]): boolean {
  return masters.some(({ address, node }) =>
    address === at.address ? !node.owns(slot) || node.configEpoch !== at.configEpoch : node.owns(slot),
  );
}

type Answer = Omit<AskedMaster, "node"> & { readonly node: ClusterNode | undefined };

/** @returns what the servers say that answer */
async function askAll(servers: readonly Redis[]): Promise<Answer[]> {
  const answers = await Promise.allSettled(
    servers.map(async (server): Promise<Answer> => {
      const node = await withDeadline(readClusterNode(server), ANSWERS_WITHIN_MS, notInTime);
      return { address: addressOf(server), server, node };
    }),
  );
  return answers.flatMap((answer) => (answer.status === "fulfilled" ? [answer.value] : []));
}

/** The masters that any of these knows. What the nodes have agreed on, one of them may not have heard yet. */
function knownMasters(asked: readonly Answer[]): KnownMaster[] {
  const known = new Map<string, KnownMaster>();
  for (const master of asked.flatMap(({ node }) => node?.masters ?? []))
    if (!known.has(master.id) || master.hasFailed) known.set(master.id, master);
  return [...known.values()];
}

function isAmong(asked: readonly Answer[], id: string): boolean {
  return asked.some(({ node }) => node?.id === id);
}

async function countKeys(server: Redis, slot: number): Promise<number> {
  try {
    const count = server.call("CLUSTER", "COUNTKEYSINSLOT", slot);
    return Number(await withDeadline(count, ANSWERS_WITHIN_MS, notInTime));
  } catch (error) {
    if (error instanceof Error && error.message.startsWith("NOPERM")) return 0;
    throw error;
  }
}

function halfMoved(why: string): SlotState {
  return { kind: "half-moved", why };
}

function addresses(masters: readonly AskedMaster[]): string {
  return masters.map(({ address }) => address).join(", ");
}

function nameOf({ host, port }: Pick<KnownMaster, "host" | "port">): string {
  return `${host}:${port}`;
}

function notInTime(): Error {
  return new Error("no answer in time");
}
