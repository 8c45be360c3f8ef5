import { HoldfastError } from "../../../platform/errors/holdfast-error.ts";
import type { QueueStore } from "../store/queue-store.ts";

/** A job's `data`. */
export interface JobEnvelope {
  /** The client's idempotency key. */
  readonly key: string;
  /** The payload as it was submitted. */
  readonly payload: unknown;
  /** The children of a flow's parent, in order. */
  readonly children?: readonly DeclaredChild[] | undefined;
}

/** The same before it is stored. */
export interface NewEnvelope extends Omit<JobEnvelope, "payload"> {
  /** Undefined where there is none. */
  readonly payloadJson: string | undefined;
}

/** The key of a larger submission is also a field of its own: who lists jobs does not read their payloads. */
const SMALL_CHARACTERS = 1_024;

/** @returns the fields `data` and `key` of a job; the latter is empty where the data is small */
export function storedEnvelope(
  store: QueueStore,
  id: string,
  envelope: NewEnvelope,
): readonly [data: string, key: string] {
  const json = envelopeJson(envelope);
  const key =
    json.length <= SMALL_CHARACTERS ? "" : store.encryptJson(id, "key", JSON.stringify(envelope.key));
  return [store.encryptJson(id, "data", json), key];
}

export function envelopeJson({ key, payloadJson, children }: NewEnvelope): string {
  const payload = payloadJson === undefined ? "" : `,"payload":${payloadJson}`;
  const rest = children === undefined ? "" : `,"children":${JSON.stringify(children)}`;
  return `{"key":${JSON.stringify(key)}${payload}${rest}}`;
}

/** A child by the fingerprint that its id ends with. It has no name where that is its index. */
export type DeclaredChild = readonly [fingerprint: string, type: string, name?: string];

/** @throws HoldfastError `DECRYPTION_FAILED`, `INVALID_PAYLOAD` for data that Holdfast did not write */
export function openEnvelope(store: QueueStore, jobId: string, data: unknown): JobEnvelope {
  const envelope = store.decryptValue(jobId, "data", data);
  if (isEnvelope(envelope)) return envelope;
  throw new HoldfastError("INVALID_PAYLOAD", "The stored submission of this job is not what Holdfast writes");
}

function isEnvelope(value: unknown): value is JobEnvelope {
  return typeof value === "object" && value !== null && "key" in value && typeof value.key === "string";
}
