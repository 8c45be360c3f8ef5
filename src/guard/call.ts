import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import {
  decryptEffectText,
  encryptEffectText,
  readEvidence,
  type StoredEffect,
} from "../core/effect/ledger/ledger-texts.ts";
import { dedupKeyOf, effectKeyOf } from "../core/job/dedup-key.ts";
import { keyFault } from "../core/job/idempotency-key.ts";
import { callId } from "../core/job/job-id.ts";
import { InDoubtError } from "../evidence/attempt-errors.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../platform/lib/canonical-json.ts";
import { isoTime, nearestTime } from "../platform/lib/iso-time.ts";
import { malformed } from "../platform/lib/parse-json.ts";
import { inTime } from "../platform/redis/redis-errors.ts";
import { placeOf } from "./places.ts";

/** What a key means, and where that is known. */
export interface NamedCall {
  /** What stands in place of a job's type. */
  readonly type: string;
  readonly dedupKey: string;
  readonly place: string;
  readonly id: string;
  readonly key: string;
}

/** @throws HoldfastError `IDEMPOTENCY_KEY_MISSING`, `IDEMPOTENCY_KEY_INVALID` */
export function nameCall(effect: string, key: unknown): NamedCall {
  if (key === undefined)
    throw new HoldfastError("IDEMPOTENCY_KEY_MISSING", `Effect "${effect}": expected a key`);
  const fault = typeof key === "string" ? keyFault(key) : "expected a string";
  if (typeof key !== "string" || fault !== undefined)
    throw new HoldfastError("IDEMPOTENCY_KEY_INVALID", `Effect "${effect}": key: ${fault}`);
  const type = `guard.${effect}`;
  const dedupKey = dedupKeyOf(type, key);
  const place = placeOf(dedupKey);
  return { type, dedupKey, place, id: callId(place, dedupKey), key };
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function canonicalContent(content: unknown): string {
  const json = canonicalJson(content ?? null);
  if (json.kind === "json") return json.text;
  throw malformed(json.issues.map(({ pointer, message }) => ({ pointer: `/content${pointer}`, message })));
}

/** Whose call it is, and what its effect is about. */
export interface CallTexts {
  readonly key: string;
  readonly by: string | null;
  readonly about: string | null;
}

export function storedTexts(store: QueueStore, effect: StoredEffect, { key, by, about }: CallTexts): string {
  return encryptEffectText(store, effect, "call", JSON.stringify([key, by, about]));
}

/** The error for whoever asks for an effect in doubt, with what is known of it. Where Redis does not say, that is the message. */
export async function callInDoubt(
  store: QueueStore,
  effect: StoredEffect,
  id: string,
  message: string,
  cause?: HoldfastError,
): Promise<InDoubtError> {
  const { dedupKey, name } = effect;
  const said = await readDoubt(store, effect, message).catch(() => ({
    since: isoTime(Date.now()),
    reason: message,
    evidence: [],
  }));
  return new InDoubtError(`${message}; resolve it with \`holdfast doubts resolve ${id} ${name}\``, {
    doubt: { id, effect: name, effectKey: effectKeyOf(dedupKey, name), ...said },
    ...(cause && { cause, retryable: cause.retryable }),
  });
}

async function readDoubt(store: QueueStore, effect: StoredEffect, message: string) {
  const json = await inTime(store.client.hget(store.keys.ledger(effect.dedupKey), `e:${effect.name}`));
  const { at, reason, seen }: { at?: number; reason?: string; seen?: string } = JSON.parse(json ?? "{}");
  return {
    since: nearestTime(at ?? Date.now()),
    reason: reason === undefined ? message : decryptEffectText(store, effect, "reason", reason),
    evidence: readEvidence(store, effect, seen),
  };
}
