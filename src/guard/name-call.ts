import { dedupKeyOf } from "../core/job/dedup-key.ts";
import { keyFault } from "../core/job/idempotency-key.ts";
import { callId } from "../core/job/job-id.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../platform/lib/canonical-json.ts";
import { malformed } from "../platform/lib/parse-json.ts";
import { placeOf } from "./places.ts";

/** What a key means, and where that is known. */
export interface NamedCall {
  /** What stands in place of a job's type. */
  readonly type: string;
  readonly dedupKey: string;
  readonly place: string;
  readonly id: string;
}

/** @throws HoldfastError `IDEMPOTENCY_KEY_INVALID` */
export function nameCall(effect: string, key: string): NamedCall {
  const fault = typeof key === "string" ? keyFault(key) : "expected a string";
  if (fault !== undefined)
    throw new HoldfastError("IDEMPOTENCY_KEY_INVALID", `Effect "${effect}": key: ${fault}`);
  const type = `guard.${effect}`;
  const dedupKey = dedupKeyOf(type, key);
  const place = placeOf(dedupKey);
  return { type, dedupKey, place, id: callId(place, dedupKey) };
}

/** @throws HoldfastError `INVALID_REQUEST` */
export function canonicalContent(content: unknown): string {
  const json = canonicalJson(content ?? null);
  if (json.kind === "json") return json.text;
  throw malformed(json.issues.map(({ pointer, message }) => ({ pointer: `/content${pointer}`, message })));
}
