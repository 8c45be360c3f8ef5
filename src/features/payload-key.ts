import { z } from "zod";
import type { Declaration } from "../core/define/declaration.ts";
import type { JobContract } from "../core/job/contract.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";

const KEY_MAX = 255;

/** A function of a payload, as a contract declares it. */
export const functionSchema = z.custom(
  (value: unknown) => typeof value === "function",
  "expected a function",
);

/** A limit for each key: a partition knows only its own jobs, so none would hold in several. */
export function wholeQueuesFor(member: keyof JobContract): Required<Pick<Declaration, "dividedFaultsOf">> {
  const fault = ({ type, queue }: JobContract, partitions: number) =>
    `job "${type}": ${member}: expected a queue without partitions, got "${queue}", which has ${partitions}`;
  return {
    dividedFaultsOf: (jobs, partitionsOf) =>
      jobs
        .filter((job) => job[member] !== undefined && partitionsOf(job.queue) > 1)
        .map((job) => fault(job, partitionsOf(job.queue))),
  };
}

/**
 * Returns what a contract's function makes of a payload.
 *
 * @param name of the function in the contract
 * @throws HoldfastError `INVALID_PAYLOAD` if it throws, or returns no key
 */
export function payloadKey(name: string, run: () => unknown): string {
  const key = calledForPayload(name, run);
  if (typeof key === "string" && key.length > 0 && key.length <= KEY_MAX) return key;
  throw payloadRefused(`${name}: expected to return 1 to ${KEY_MAX} characters, got ${shown(key)}`);
}

export function calledForPayload(name: string, run: () => unknown): unknown {
  try {
    return run();
  } catch (error) {
    throw payloadRefused(`${name}: expected to return, but it threw`, error);
  }
}

/** Quotes no text: it may be a secret of the payload. */
export function shown(value: unknown): string {
  if (typeof value === "string") return `${value.length} characters`;
  return typeof value === "number" ? String(value) : typeof value;
}

export function payloadRefused(message: string, cause?: unknown): HoldfastError {
  return new HoldfastError("INVALID_PAYLOAD", `/payload: ${message}`, {
    cause,
    issues: [{ pointer: "/payload", message }],
  });
}
