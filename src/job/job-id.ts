import { randomUUID } from "node:crypto";
import { HoldfastError } from "../errors/holdfast-error.ts";

/**
 * A job's id: the queue's name, `_`, and a UUIDv7 whose last 48 bits are the fingerprint of the job's content.
 *
 * Clients must treat it as opaque. The fingerprint travels inside so that a reused key can be told from a repeated
 * request even after the job itself is gone: the key still points to the id. 26 random bits and the fingerprint keep
 * ids of one millisecond apart.
 */
const SHAPE =
  /^([a-z][a-z0-9-]{0,63})_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-([0-9a-f]{12})$/;

const FINGERPRINT_LENGTH = 12;

export interface JobId {
  readonly queue: string;
  /** 12 hexadecimal digits. */
  readonly fingerprint: string;
}

/** @param fingerprint 12 hexadecimal digits */
export function newJobId(queue: string, fingerprint: string): string {
  const random = randomUUID();
  return `${queue}_${timeOf(Date.now())}-7${random.slice(15, 18)}-${random.slice(19, 23)}-${fingerprint}`;
}

let written = { ms: 0, text: "" };

/** The first twelve digits of a UUIDv7. Written once for all ids of a millisecond: it is most of what one costs. */
function timeOf(ms: number): string {
  if (ms !== written.ms) {
    const digits = ms.toString(16).padStart(12, "0");
    written = { ms, text: `${digits.slice(0, 8)}-${digits.slice(8)}` };
  }
  return written.text;
}

/** Reads an id; undefined for anything that is not of our own making, whatever its shape or size. */
export function parseJobId(text: string): JobId | undefined {
  const match = text.length <= 128 ? SHAPE.exec(text) : null;
  const [, queue, fingerprint] = match ?? [];
  return queue === undefined || fingerprint === undefined ? undefined : { queue, fingerprint };
}

/** The queue that an id names; undefined for anything that is not of our own making. */
export function queueOfId(text: string): string | undefined {
  return parseJobId(text)?.queue;
}

/** Whether the jobs of two ids have the same content, by what their ids say of it. */
export function isSameContent(id: string, other: string): boolean {
  return parseJobId(id)?.fingerprint === other.slice(-FINGERPRINT_LENGTH);
}

/** What is asked for by an id that is no job's. */
export function jobNotFound(): HoldfastError {
  return new HoldfastError("JOB_NOT_FOUND", "There is no job with this id, or no longer");
}

/** When a job was submitted, in milliseconds since 1970: it stands in its id, also after the job is gone. */
export function submittedAt(id: string): number {
  const uuid = id.slice(id.indexOf("_") + 1);
  return Number.parseInt(uuid.slice(0, 8) + uuid.slice(9, 13), 16);
}
