import type { z } from "zod";
import { canonicalJson } from "../contract/canonical-json.ts";
import type { Application } from "../contract/define-config.ts";
import type { JobContract } from "../contract/define-job.ts";
import { keyFault } from "../contract/idempotency-key.ts";
import { schemaOffences } from "../contract/schema-offences.ts";
import type { ErrorCode } from "../errors/error-codes.ts";
import { HoldfastError, type Offence } from "../errors/holdfast-error.ts";
import { canonicalOptions, type SubmissionOptions, submissionSchema } from "./submission.ts";

/** A submission in which nothing is wrong. */
export interface ValidSubmission {
  readonly contract: JobContract;
  readonly payload: unknown;
  readonly idempotencyKey: string;
  readonly options: SubmissionOptions;
  /** Canonical JSON of type, payload and options: equal exactly when the content is. */
  readonly content: string;
}

/** Which code the answer bears when several things are wrong; the offences name them all. */
const precedence: readonly ErrorCode[] = [
  "INVALID_REQUEST",
  "UNKNOWN_JOB_TYPE",
  "IDEMPOTENCY_KEY_MISSING",
  "IDEMPOTENCY_KEY_INVALID",
  "INVALID_PAYLOAD",
];

type Fault = Offence & { readonly code: ErrorCode };

/**
 * Checks everything about a submission that can be checked without the store.
 *
 * @param input what the client sent, parsed from JSON
 * @throws HoldfastError with the gravest code and every offence found
 */
export function validateSubmission(application: Application, input: unknown): ValidSubmission {
  const sent = isObject(input) ? input : {};
  const shape = submissionSchema.safeParse(input);
  const contract = typeof sent.type === "string" ? application.jobs.get(sent.type) : undefined;
  const options = shape.data?.options ?? {};
  const content = canonicalJson({
    type: sent.type,
    payload: sent.payload,
    options: canonicalOptions(options),
  });
  // A value that cannot be written as JSON may be too deep for the payload's own schema, too.
  const payload = content.kind === "json" ? contract?.payload.safeParse(sent.payload) : undefined;
  const keyOffence = keyFaults(sent.idempotencyKey);
  if (
    shape.success &&
    contract !== undefined &&
    content.kind === "json" &&
    payload?.success &&
    keyOffence.length === 0
  ) {
    const { idempotencyKey = "" } = shape.data;
    return { contract, payload: shape.data.payload, idempotencyKey, options, content: content.text };
  }
  throw refusal([
    ...shapeFaults(shape.error),
    ...typeFaults(sent.type, contract, application),
    ...keyOffence,
    ...contentFaults(content),
    ...payloadFaults(payload?.error),
  ]);
}

function shapeFaults(error: z.ZodError | undefined): Fault[] {
  return schemaOffences(error).map((offence) => ({ code: "INVALID_REQUEST", ...offence }));
}

function typeFaults(type: unknown, contract: JobContract | undefined, application: Application): Fault[] {
  if (typeof type !== "string" || contract !== undefined) return [];
  const known = [...application.jobs.keys()].join(", ");
  return [{ code: "UNKNOWN_JOB_TYPE", pointer: "/type", message: `expected one of ${known}` }];
}

function keyFaults(key: unknown): Fault[] {
  const pointer = "/idempotencyKey";
  if (key === undefined)
    return [{ code: "IDEMPOTENCY_KEY_MISSING", pointer, message: "expected a key of 1 to 255 characters" }];
  const message = typeof key === "string" ? keyFault(key) : undefined;
  return message === undefined ? [] : [{ code: "IDEMPOTENCY_KEY_INVALID", pointer, message }];
}

function contentFaults(content: ReturnType<typeof canonicalJson>): Fault[] {
  if (content.kind === "json") return [];
  return content.offences.map((offence) => ({
    code: offence.pointer.startsWith("/payload") ? "INVALID_PAYLOAD" : "INVALID_REQUEST",
    ...offence,
  }));
}

function payloadFaults(error: z.ZodError | undefined): Fault[] {
  return schemaOffences(error, ["payload"]).map((offence) => ({ code: "INVALID_PAYLOAD", ...offence }));
}

function refusal(faults: readonly Fault[]): HoldfastError {
  const code =
    precedence.find((candidate) => faults.some((fault) => fault.code === candidate)) ?? "INVALID_REQUEST";
  const offences = faults.map(({ pointer, message }) => ({ pointer, message }));
  const [first] = faults.filter((fault) => fault.code === code);
  const more = offences.length > 1 ? ` (and ${offences.length - 1} more)` : "";
  return new HoldfastError(code, `${first?.pointer || "/"}: ${first?.message ?? "malformed"}${more}`, {
    offences,
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
