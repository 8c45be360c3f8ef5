import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { decryptEffectText, readEvidence, type StoredEffect } from "../core/effect/ledger/ledger-texts.ts";
import { effectKeyOf } from "../core/job/dedup-key.ts";
import type { DoubtOfCall } from "../evidence/attempt-errors.ts";
import { isoTime, nearestTime } from "../platform/lib/iso-time.ts";
import { inTime } from "../platform/redis/redis-errors.ts";

/** What is known of a doubt. Where Redis does not say, what its process knows. */
export async function doubtOf(
  store: QueueStore,
  effect: StoredEffect,
  { id, reason }: { readonly id: string; readonly reason: string },
): Promise<DoubtOfCall> {
  const { dedupKey, name } = effect;
  const known = { id, effect: name, effectKey: effectKeyOf(dedupKey, name) };
  try {
    const json = await inTime(store.client.hget(store.keys.ledger(dedupKey), `e:${name}`));
    const entry: { at?: number; reason?: string; seen?: string } = JSON.parse(json ?? "{}");
    return {
      ...known,
      since: nearestTime(entry.at ?? Date.now()),
      reason: entry.reason === undefined ? reason : decryptEffectText(store, effect, "reason", entry.reason),
      evidence: readEvidence(store, effect, entry.seen),
    };
  } catch {
    return { ...known, since: isoTime(Date.now()), reason, evidence: [] };
  }
}

export function howResolved(id: string, effect: string): string {
  return `resolve it with \`holdfast doubts resolve ${id} ${effect}\``;
}
