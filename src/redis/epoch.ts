import { randomUUID } from "node:crypto";
import type { Durability } from "../config/variables.ts";
import { oneAtATime } from "../lib/one-at-a-time.ts";
import type { RedisConnection } from "./connection.ts";
import { nowLua } from "./includes.ts";
import { redisRolledBack } from "./redis-errors.ts";
import type { Writer } from "./replicas.ts";
import { loadScript } from "./script.ts";

/** What a process has seen of an epoch: its id, and how many changes the store has counted in it. */
export interface SeenEpoch {
  readonly id: string;
  readonly count: number;
}

/** The answer of a script that was shown another epoch than the store's: it has done nothing. */
export const OTHER_EPOCH = "other-epoch";

/** What a script that was shown the epoch has answered. */
export interface CountedReply<T> {
  readonly result: T;
  /** How many changes the store has counted by now. */
  readonly count: number;
  /** Whether they are as durable as configured. */
  readonly isConfirmed: boolean;
}

/** Where the store has lost something: what is known of it. */
export interface Loss {
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly known: SeenEpoch;
  /** Its id is `none` where the store had no epoch at all. */
  readonly found: SeenEpoch;
}

/**
 * One queue's epoch, as this process knows it.
 *
 * The store keeps an id, and counts each change that a promise rests on: jobs taken, effects reserved. A store that comes
 * back with less than it had shows another id, or a lower count than somebody has seen.
 */
export interface Epoch {
  /** To be shown to each script that takes a job or begins an effect: id and count, as its arguments. */
  shown(): readonly [id: string, count: number];
  /** Runs a script that counts a change, and says whether that is as durable as configured. */
  readonly write: Writer;
  /**
   * Told the count in the answer to a script, with the id that it was shown. What the replicas have not confirmed may be
   * lost without a promise broken: it is not remembered.
   */
  seen(id: string, count: number, isConfirmed: boolean): void;
  /**
   * Compares with the store: each second, and when a script was refused.
   *
   * @throws HoldfastError `STORE_ROLLED_BACK` while the store has lost something and nobody has accepted it
   */
  check(): Promise<void>;
  /** What this process remembers. */
  readonly remembered: SeenEpoch;
}

export interface EpochOptions {
  readonly client: RedisConnection;
  /** Where Redis keeps it. */
  readonly key: string;
  readonly durability: Durability;
  readonly write: Writer;
  /** What was seen before this process began. */
  readonly remembered: SeenEpoch | undefined;
  /** Called before a loss is acted upon, and before a new epoch is taken up. */
  readonly onLoss: (loss: Loss | undefined) => Promise<void>;
}

/** Where a loss is expected, workers get so long to say which effects they are in the middle of. */
const ACCEPTED_AFTER_MS = 3_000;

const checkScript = loadScript(import.meta.url, "check-epoch.lua", nowLua);

export function createEpoch(options: EpochOptions): Epoch {
  const { client, key, durability, write, onLoss } = options;
  const acceptMs = durability.level === "memory" ? ACCEPTED_AFTER_MS : -1;
  let remembered = options.remembered ?? { id: "", count: 0 };
  let knownLoss = 0;

  async function check(): Promise<void> {
    const asked = remembered;
    const reply = await checkScript.run(client, [key], [asked.id, asked.count, randomUUID(), acceptMs]);
    const [id, ...details] = reply as [string, ...(string | number)[]];
    if (id === "lost") {
      const loss = lossIn(details);
      if (knownLoss !== loss.since) await onLoss(loss);
      knownLoss = loss.since;
      throw redisRolledBack();
    }
    const count = Number(details[0]);
    if (id !== asked.id) {
      if (asked.id !== "") await onLoss(undefined);
      remembered = { id, count };
    }
    raise(count);
    knownLoss = 0;
  }

  function raise(count: number): void {
    if (count > remembered.count) remembered = { ...remembered, count };
  }

  return {
    shown: () => [remembered.id, remembered.count],
    write,
    seen(id, count, isConfirmed) {
      // An answer that comes after the epoch has changed tells of the one before.
      if (isConfirmed && id === remembered.id) raise(count);
    },
    check: oneAtATime(check),
    get remembered() {
      return remembered;
    },
  };
}

/**
 * Runs a script that is shown the epoch; once more where it turns out that a new one has begun and is in order.
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
      epoch.seen(id, reply.count, reply.isConfirmed);
      return reply;
    }
    await epoch.check();
  }
  throw redisRolledBack();
}

export function lossIn(details: readonly (string | number | null | undefined)[]): Loss {
  const [since, knownId, knownCount, foundId, foundCount] = details;
  return {
    since: Number(since),
    known: { id: String(knownId), count: Number(knownCount) },
    found: { id: String(foundId), count: Number(foundCount) },
  };
}
