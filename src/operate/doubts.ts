import { decryptEffectText, effectName, isEncryptedName } from "../effect/ledger-texts.ts";
import { effectKeyOf } from "../job/dedup-key.ts";
import { nearestTime } from "../lib/iso-time.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { decryptedOrWhyNot } from "../queue/readable.ts";

/** An effect of which nobody knows whether it happened. */
export interface Doubt {
  readonly jobId: string;
  /** The effect's name, with `/index` where it has one. */
  readonly effect: string;
  /** The identity under which the effect may be known downstream; null where its name cannot be opened. */
  readonly effectKey: string | null;
  readonly queue: string;
  readonly dedupKey: string;
  readonly since: string;
  /** Why nobody can know. */
  readonly reason: string;
  /** Which start of the job ran it. */
  readonly start: number;
  readonly worker: string;
  /** What its worker said when it was heard of again: too late to be taken for a fact, but good evidence. */
  readonly report: "done" | "not-done" | null;
}

interface Entry {
  readonly job: string;
  readonly at: number;
  readonly reason?: string;
  readonly delivery: number;
  readonly worker: string;
  readonly report?: "done" | "not-done";
}

/**
 * Lists the doubts of one queue, oldest first.
 *
 * @param offset how many to skip
 */
export async function listDoubts(store: QueueStore, offset: number, limit: number): Promise<Doubt[]> {
  const { client, keys } = store;
  const members = await client.zrange(keys.doubts, String(offset), String(offset + limit - 1));
  const doubts = await Promise.all(members.map((member) => readDoubt(store, member)));
  return doubts.filter((doubt) => doubt !== undefined);
}

async function readDoubt(store: QueueStore, member: string): Promise<Doubt | undefined> {
  const { client, keys, queue } = store;
  const cut = member.indexOf("/");
  const dedupKey = member.slice(0, cut);
  const name = member.slice(cut + 1);
  const json = await client.hget(keys.ledger(dedupKey), `e:${name}`);
  // Settled since the list was read.
  if (json === null) return undefined;
  const entry = entryIn(json);
  const effect = effectName(store, { dedupKey, name });
  return {
    jobId: entry.job,
    effect,
    effectKey: isEncryptedName(effect) ? null : effectKeyOf(dedupKey, effect),
    queue,
    dedupKey,
    since: nearestTime(entry.at),
    reason: decryptedOrWhyNot(() =>
      decryptEffectText(store, { dedupKey, name }, "reason", entry.reason ?? ""),
    ),
    start: entry.delivery,
    worker: entry.worker,
    report: entry.report ?? null,
  };
}

/** One that cannot be read is listed all the same: the doubt is there. */
function entryIn(json: string): Entry {
  const unknown = { job: "", at: 0, reason: "[unreadable]", delivery: 0, worker: "" };
  try {
    return { ...unknown, ...JSON.parse(json) };
  } catch {
    return unknown;
  }
}

/** How many effects of a queue are in doubt, and since when the oldest is. */
export interface DoubtCount {
  readonly count: number;
  /** Milliseconds since 1970; undefined when there is none. */
  readonly oldestAt: number | undefined;
}

export async function countDoubts({ client, keys }: QueueStore): Promise<DoubtCount> {
  const key = keys.doubts;
  const [count, [oldest]] = await Promise.all([client.zcard(key), client.zrange(key, "0", "0")]);
  const score = oldest === undefined ? null : await client.zscore(key, oldest);
  return { count, oldestAt: score === null ? undefined : Number(score) };
}
