import { randomUUID } from "node:crypto";
import { Cluster } from "ioredis";
import type { Durability } from "../../config/variables.ts";
import type { HoldfastError } from "../../errors/holdfast-error.ts";
import { batchByTurn } from "../../lib/batch-by-turn.ts";
import { oneAfterAnother } from "../../lib/one-at-a-time.ts";
import type { RedisConnection } from "../connection.ts";
import { redisRolledBack } from "../redis-errors.ts";
import { either, integer, listOf, oneOf, orNull, type Shape, text, tuple } from "../reply-shape.ts";
import { loadScript } from "../script.ts";
import type { Writer } from "../writers.ts";

/** What a process has seen of an epoch: its id, and how many changes Redis has counted in it. */
export interface SeenEpoch {
  readonly id: string;
  readonly count: number;
}

/** A script returns this when it was shown another epoch than Redis's: it did nothing. */
export const OTHER_EPOCH = "other-epoch";

/** What a script returns that was shown the epoch. */
export interface CountedReply<T> {
  readonly result: T;
  /** How many changes Redis has counted. */
  readonly count: number;
  /** Why they are not as durable as configured; undefined where they are. */
  readonly unconfirmed: HoldfastError | undefined;
}

/** What is known of a data loss. */
export interface Loss {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly known: SeenEpoch;
  /** Its id is `none` where Redis had no epoch at all. */
  readonly found: SeenEpoch;
  /** How many keys Redis has evicted, where that is the loss; else 0. */
  readonly evicted: number;
}

/**
 * A queue's epoch, as this process knows it.
 *
 * Redis has an id, and counts each change that a guarantee rests on: jobs added, effects reserved. After a data loss it has
 * another id, or a lower count than somebody has seen. An eviction is a loss, too.
 */
export interface Epoch {
  /** The arguments for each script that adds a job or reserves an effect. In a queue with partitions the id names their layout. */
  shown(): readonly [id: string, count: number];
  /** Runs a script that counts a change. */
  readonly write: Writer;
  /**
   * Remembers the count that a script returned, with the id that it was shown. What the replicas have not confirmed may be lost
   * without breaking a promise, so it is not remembered.
   */
  seen(id: string, count: number, isConfirmed: boolean): void;
  /**
   * Compares with Redis: each second, and when a script was refused.
   *
   * @throws HoldfastError `STORE_ROLLED_BACK` while Redis has lost data and nobody has accepted it
   */
  check(): Promise<void>;
  /** What this process remembers. */
  readonly remembered: SeenEpoch;
  /** The layout of the queue's partitions, as this process knows it; "" for none. */
  readonly layout: string;
}

/** The layout of a queue's partitions, which stands with the epoch of each. */
export interface KnownLayout {
  /** "" while it is not known. */
  known(): string;
  /** For a queue in which nothing was ever counted; "" for none. */
  readonly first: string;
  /** @returns the layout that stands there from now on */
  agree(found: string): Promise<string>;
}

export interface EpochOptions {
  readonly compare: EpochComparison;
  /** Its key in Redis. */
  readonly key: string;
  readonly durability: Durability;
  readonly write: Writer;
  /** What was seen before this process started. */
  readonly remembered: SeenEpoch | undefined;
  /** How far the epoch with this id was seen under another address of Redis; 0 where it was not. */
  readonly countOf: (id: string) => number;
  readonly layout: KnownLayout;
  /** Called before a loss is reported, and before a new epoch is accepted. */
  readonly onLoss: (loss: Loss | undefined) => Promise<void>;
}

/** With durability `memory` a loss is expected: workers have this long to put their running effects in doubt. */
const ACCEPTED_AFTER_MS = 3_000;

const found = orNull(text);
const lossShape = tuple(oneOf("lost"), text, found, found, found, found, text);
const checkedShape = either(lossShape, tuple(text, integer, text));
const checkScript = loadScript(import.meta.url, "check-epoch.lua", listOf(checkedShape));
type Checked = typeof checkedShape extends Shape<infer Reply> ? Reply : never;

/** Compares an epoch's key with what is remembered of it. */
export type EpochComparison = (key: string, remembered: readonly (string | number)[]) => Promise<Checked>;

/** Each occupies Redis for some microseconds. */
const TOGETHER_MAX = 50;

/** Compares the epochs of one Redis: those that are asked for together by one script, which in a cluster reaches one queue. */
export function epochComparison(client: RedisConnection, { level }: Durability): EpochComparison {
  const rules = [level === "memory" ? ACCEPTED_AFTER_MS : -1, level === "replica" ? 1 : 0];
  const run = (items: readonly { key: string; remembered: readonly (string | number)[] }[]) =>
    checkScript.run(
      client,
      items.map(({ key }) => key),
      [...rules, ...items.flatMap(({ remembered }) => remembered)],
    );
  const compare = batchByTurn({ run, itemsMax: client instanceof Cluster ? 1 : TOGETHER_MAX });
  return (key, remembered) => compare({ key, remembered });
}

export function createEpoch(options: EpochOptions): Epoch {
  const { compare, key, durability, write, onLoss } = options;
  const hasReplicas = durability.level === "replica";
  let remembered = options.remembered ?? { id: "", count: 0 };
  let shownId = remembered.id;
  let knownLoss = 0;

  async function check(): Promise<void> {
    const asked = hasReplicas && remembered.count === 0 ? { id: "", count: 0 } : remembered;
    const layouts = [options.layout.known(), options.layout.first];
    const [id, ...details] = await compare(key, [asked.id, asked.count, randomUUID(), ...layouts]);
    if (id === "lost") {
      const loss = lossIn(details);
      if (knownLoss !== loss.since) await onLoss(loss);
      knownLoss = loss.since;
      throw redisRolledBack();
    }
    const count = Number(details[0]);
    if (id !== remembered.id) await begin(id, count);
    raise(count);
    const layout = await options.layout.agree(String(details[1]));
    shownId = layout === "" ? id : `${id} ${layout}`;
    knownLoss = 0;
  }

  async function begin(id: string, count: number): Promise<void> {
    if (remembered.id !== "") await onLoss(undefined);
    const seenBefore = options.countOf(id);
    remembered = { id, count: Math.max(count, seenBefore) };
    if (seenBefore > count) await check();
  }

  function raise(count: number): void {
    if (count > remembered.count) remembered = { ...remembered, count };
  }

  return {
    shown: () => [shownId, remembered.count],
    write,
    seen(id, count, isConfirmed) {
      // A reply from before the epoch changed is about the previous one.
      if (isConfirmed && id === shownId) raise(count);
    },
    // A report is refused, or another epoch is found, after the check that is under way may have looked.
    check: oneAfterAnother(check),
    get remembered() {
      return remembered;
    },
    get layout() {
      return options.layout.known();
    },
  };
}

/**
 * Runs a script that is shown the epoch; once more if a new epoch has begun.
 *
 * @throws HoldfastError `STORE_ROLLED_BACK`
 */
export async function inEpoch<T>(
  epoch: Epoch,
  run: (id: string, count: number) => Promise<CountedReply<T> | typeof OTHER_EPOCH>,
): Promise<CountedReply<T>> {
  for (let tries = 0; tries < 2; tries += 1) {
    const [id, count] = epoch.shown();
    const reply = await run(id, count);
    if (reply !== OTHER_EPOCH) {
      epoch.seen(id, reply.count, reply.unconfirmed === undefined);
      return reply;
    }
    await epoch.check();
  }
  throw redisRolledBack();
}

export function lossIn(details: readonly (string | number | null | undefined)[]): Loss {
  const [since, knownId, knownCount, foundId, foundCount, evicted] = details;
  return {
    since: Number(since),
    known: { id: String(knownId), count: Number(knownCount) },
    found: { id: String(foundId), count: Number(foundCount) },
    evicted: Number(evicted ?? 0),
  };
}
