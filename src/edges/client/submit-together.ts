import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { notHoldfast } from "./answer.ts";
import { type ApiCalls, isoOption } from "./api.ts";
import type { Joined } from "./operations.ts";
import { type JobName, receiptOf, typeOf } from "./submit.ts";

type Given = Readonly<Record<string, unknown>>;

/** Submits jobs together. They are named by their types or their contracts. */
export async function submitTogether(
  api: ApiCalls,
  { path, jobs, receipt }: Joined,
  given: Given,
  signal?: AbortSignal,
): Promise<unknown> {
  const body = jsonOf(jobs, given);
  const answered = receiptOf(await api.again({ path, method: "POST", body, signal, isKeyed: true }));
  if (receipt.every((member) => member in answered)) return answered;
  throw notHoldfast("no receipt");
}

/** @throws HoldfastError `INVALID_REQUEST` */
function jsonOf(jobs: Joined["jobs"], given: Given): string {
  const sent = Object.entries(jobs).map(([member, beside]) => {
    const found = given?.[member];
    const one = (job: unknown, place: string) => submissionOf(job as GivenJob, place, beside);
    const all = Array.isArray(found)
      ? () => found.map((job, index) => one(job, `${member}/${index}`))
      : () => one(found, member);
    return [member, all] as const;
  });
  try {
    return JSON.stringify({ ...given, ...Object.fromEntries(sent.map(([member, all]) => [member, all()])) });
  } catch (cause) {
    if (cause instanceof HoldfastError) throw cause;
    const message = "expected what JSON can express";
    throw new HoldfastError("INVALID_REQUEST", message, { cause, issues: [{ pointer: "", message }] });
  }
}

interface GivenJob {
  readonly job: JobName;
  readonly payload: unknown;
  readonly idempotencyKey?: string;
  readonly runAt?: Date;
  readonly startBy?: Date;
}

/** @param beside its members that are no options */
function submissionOf(given: GivenJob, place: string, beside: readonly string[]) {
  const { job, payload, idempotencyKey, ...rest } = given;
  const own = Object.entries(rest).filter(([name]) => beside.includes(name));
  const options = Object.entries(rest).filter(([name]) => !beside.includes(name));
  const instant = (option: "runAt" | "startBy") => isoOption(`${place}/options/${option}`, rest[option]);
  return {
    type: typeOf(job),
    payload,
    idempotencyKey,
    ...Object.fromEntries(own),
    options: { ...Object.fromEntries(options), runAt: instant("runAt"), startBy: instant("startBy") },
  };
}
