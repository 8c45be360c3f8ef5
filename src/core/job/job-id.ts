import { randomUUID } from "node:crypto";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { GUARD_QUEUE } from "./internal-queue.ts";

/**
 * A job's id: the name of its queue or partition, `_`, and a UUIDv7 whose last 48 bits are the fingerprint of the job's content.
 *
 * A key still points to the id after the job is gone, so the fingerprint in it shows whether a request repeats the job. Ids of
 * one millisecond differ by 26 random bits and the fingerprint. To clients an id is opaque.
 */
const SHAPE =
  /^([a-z][a-z0-9-]{0,63}(?:\.[1-9][0-9]?)?)_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-([0-9a-f]{12})$/;

export interface JobId {
  /** Or one of its partitions. */
  readonly queue: string;
  /** 12 hexadecimal digits. */
  readonly fingerprint: string;
}

/** @param fingerprint 12 hexadecimal digits */
export function newJobId(queue: string, fingerprint: string): string {
  const ms = Date.now();
  const high = hex(Math.floor(ms / 0x10000), 8);
  const low = hex(ms % 0x10000, 4);
  const random = randomUUID();
  return `${queue}_${high}-${low}-7${random.slice(15, 18)}-${random.slice(19, 23)}-${fingerprint}`;
}

function hex(value: number, digits: number): string {
  return value.toString(16).padStart(digits, "0");
}

/** @returns undefined for any text that is not an id of ours */
export function parseJobId(text: string): JobId | undefined {
  const match = typeof text === "string" && text.length <= 128 ? SHAPE.exec(text) : null;
  const [, queue, fingerprint] = match ?? [];
  return queue === undefined || fingerprint === undefined ? undefined : { queue, fingerprint };
}

/** @returns undefined for any text that is not an id of ours */
export function queueOfId(text: string): string | undefined {
  return parseJobId(text)?.queue ?? parseCallId(text)?.place;
}

const CALL_SHAPE = new RegExp(`^(${GUARD_QUEUE}(?:\\.[1-9][0-9]?)?)_([A-Za-z0-9_-]{22})$`);

/** The id of an effect that no job runs: where it is known, `_`, and its deduplication key. To clients it is opaque. */
export function callId(place: string, dedupKey: string): string {
  return `${place}_${dedupKey}`;
}

/** @returns undefined for any text that is not such an id */
export function parseCallId(text: string): { readonly place: string; readonly dedupKey: string } | undefined {
  const [, place, dedupKey] = (typeof text === "string" && text.length <= 64 && CALL_SHAPE.exec(text)) || [];
  return place === undefined || dedupKey === undefined ? undefined : { place, dedupKey };
}

/** What a deduplication key holds. */
export interface KeyHolder {
  /** The id that its submission got. It has the fingerprint of what was submitted. */
  readonly submission: string;
  /** The id of the job that does what was asked for: another one where that job waited, and this submission replaced its content. */
  readonly job: string;
}

/** @param text of one id, or of both, with a space between them */
export function keyHolder(text: string): KeyHolder {
  const space = text.indexOf(" ");
  return space < 0
    ? { submission: text, job: text }
    : { submission: text.slice(0, space), job: text.slice(space + 1) };
}

/** Returns the queue in which the text stands, or to which it points; undefined where it is none of ours. */
export function queueOfHolder(text: string): string | undefined {
  return queueOfId(keyHolder(text).submission);
}

export function jobNotFound(): HoldfastError {
  return new HoldfastError("JOB_NOT_FOUND", "There is no job with this id, or no longer");
}

/** When a job was submitted, in milliseconds since 1970, as its id says. */
export function submittedAt(id: string): number {
  const uuid = id.slice(id.indexOf("_") + 1);
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}
