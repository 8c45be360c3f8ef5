import { z } from "zod";
import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import type { EffectOptionsInUse } from "../core/effect/effect-run.ts";
import { callFault } from "../core/effect/effects.ts";
import { decryptEffectText, readEvidence, type StoredEffect } from "../core/effect/ledger/ledger-texts.ts";
import { dedupKeyOf, effectKeyOf } from "../core/job/dedup-key.ts";
import { keyFault } from "../core/job/idempotency-key.ts";
import { callId } from "../core/job/job-id.ts";
import { InDoubtError } from "../evidence/attempt-errors.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../platform/lib/canonical-json.ts";
import { isoTime, nearestTime } from "../platform/lib/iso-time.ts";
import { malformed, parseInput } from "../platform/lib/parse-json.ts";
import { inTime } from "../platform/redis/redis-errors.ts";
import type { GuardedCall, GuardedEffect } from "./guard.ts";
import { placeOfKey } from "./places.ts";

/** What a key means, and where that is known. `type` stands in place of a job's. */
export type NamedCall = ReturnType<typeof nameCall>;

/** @throws HoldfastError `IDEMPOTENCY_KEY_MISSING`, `IDEMPOTENCY_KEY_INVALID` */
export function nameCall(effect: string, key: unknown) {
  if (key === undefined)
    throw new HoldfastError("IDEMPOTENCY_KEY_MISSING", `Effect "${effect}": expected a key`);
  const fault = typeof key === "string" ? keyFault(key) : "expected a string";
  if (typeof key !== "string" || fault !== undefined)
    throw new HoldfastError("IDEMPOTENCY_KEY_INVALID", `Effect "${effect}": key: ${fault}`);
  const type = `guard.${effect}`;
  const dedupKey = dedupKeyOf(type, key);
  const place = placeOfKey(dedupKey);
  return { type, dedupKey, place, id: callId(place, dedupKey), key };
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function canonicalContent(content: unknown): string {
  const json = canonicalJson(content ?? null);
  if (json.kind === "json") return json.text;
  throw malformed(json.issues.map(({ pointer, message }) => ({ pointer: `/content${pointer}`, message })));
}

const callSchema = z.strictObject({
  key: z.unknown().optional(),
  content: z.unknown().optional(),
  waitMs: z.number().min(0).max(600_000).default(0),
  by: z.string().max(200).nullable().default(null),
  about: z.string().max(500).nullable().default(null),
});

/** A call, checked: its content is canonical JSON. */
export type CheckedCall = ReturnType<typeof checkCall>;

/** @throws HoldfastError `IDEMPOTENCY_KEY_MISSING`, `IDEMPOTENCY_KEY_INVALID`, `INVALID_REQUEST` */
export function checkCall(
  { declaration, name }: GuardedEffect,
  call: GuardedCall,
  run: unknown,
  options: EffectOptionsInUse = {},
) {
  const { key, content, waitMs, by, about } = parseInput(callSchema, call);
  const named = nameCall(name, key);
  const fault = callFault(declaration, run, options);
  if (fault !== undefined) throw wrong("", fault);
  if (options.index !== undefined) throw wrong("/options/index", "expected none: put it into the key");
  return { named, by, about, content: canonicalContent(content), waitMs, options };
}

/** The error for what untyped code gets wrong in a call. */
export function wrong(pointer: string, message: string): HoldfastError {
  return malformed([{ pointer, message }]);
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
  const unread = { since: isoTime(Date.now()), reason: message, evidence: [] };
  const known = await readDoubt(store, effect).catch(() => unread);
  const doubt = { id, effect: name, effectKey: effectKeyOf(dedupKey, name), ...unread, ...known };
  return new InDoubtError(`${message}; resolve it with \`holdfast doubts resolve ${id} ${name}\``, {
    doubt,
    ...(cause && { cause, retryable: cause.retryable }),
  });
}

async function readDoubt(store: QueueStore, effect: StoredEffect) {
  const json = await inTime(store.client.hget(store.keys.ledger(effect.dedupKey), `e:${effect.name}`));
  const { at, reason, seen }: { at?: number; reason?: string; seen?: string } = JSON.parse(json ?? "{}");
  return {
    since: nearestTime(at ?? Date.now()),
    evidence: readEvidence(store, effect, seen),
    ...(reason !== undefined && { reason: decryptEffectText(store, effect, "reason", reason) }),
  };
}
