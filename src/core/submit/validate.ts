import type { z } from "zod";
import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError, type Issue } from "../../platform/errors/holdfast-error.ts";
import { canonicalJson } from "../../platform/lib/canonical-json.ts";
import { check, type SchemaIssue, schemaIssues } from "../../platform/lib/schema.ts";
import type { Application } from "../job/application.ts";
import type { JobContract } from "../job/contract.ts";
import { keyFault } from "../job/idempotency-key.ts";
import type { JobPart, SubmitPoints } from "./points.ts";
import { canonicalOptions, NO_OPTIONS, type SubmissionOptions, submissionSchemaOf } from "./submission.ts";

/** A submission without issues. */
export interface ValidSubmission {
  readonly contract: JobContract;
  /** JSON of the payload as it was checked: its caller may change the object meanwhile. Undefined where there is none. */
  readonly payloadJson: string | undefined;
  readonly idempotencyKey: string;
  readonly options: SubmissionOptions;
  /** Canonical JSON of type, payload and options: equal exactly when the content is. */
  readonly content: string;
  /** What features add to the job: nothing to most jobs. */
  readonly parts: readonly JobPart[];
}

/** The code of the error when several things are wrong; its issues name them all. */
const precedence: readonly ErrorCode[] = [
  "INVALID_REQUEST",
  "UNKNOWN_JOB_TYPE",
  "IDEMPOTENCY_KEY_MISSING",
  "IDEMPOTENCY_KEY_INVALID",
  "INVALID_PAYLOAD",
];

type Fault = Issue & { readonly code: ErrorCode };

/**
 * Checks everything about a submission that can be checked without Redis.
 *
 * @param input what the client sent, parsed from JSON
 * @param keyFaultOf what is wrong with a key: `keyFault` for one that Holdfast made @default refuses also those that features reserve
 * @throws HoldfastError with the gravest code and every issue
 */
export type Validate = (
  application: Pick<Application, "jobs">,
  input: unknown,
  keyFaultOf?: typeof keyFault,
) => ValidSubmission;

export function openValidator(features: readonly SubmitPoints[]): Validate {
  const schema = submissionSchemaOf(features);
  const reservedFaultOf = features.find((feature) => feature.clientKeyFaultOf)?.clientKeyFaultOf;
  const clientKeyFault = (key: string) => reservedFaultOf?.(key) ?? keyFault(key);
  return (application, input, keyFaultOf = clientKeyFault) => {
    const sent = isObject(input) ? input : {};
    const shape = schema.safeParse(input);
    const contract = typeof sent.type === "string" ? application.jobs.get(sent.type) : undefined;
    const options = shape.data?.options ?? NO_OPTIONS;
    const content = canonicalJson({
      type: sent.type,
      payload: sent.payload,
      options: canonicalOptions(features, options),
    });
    // Before the payload's schema: that is foreign code. A value that JSON cannot hold may also be too deep for it.
    const payloadJson = content.kind === "json" ? JSON.stringify(sent.payload) : undefined;
    const payload = content.kind === "json" ? contract && check(contract.payload, sent.payload) : undefined;
    const keyIssue = keyFaults(sent.idempotencyKey, keyFaultOf);
    if (
      shape.success &&
      contract !== undefined &&
      content.kind === "json" &&
      payload !== undefined &&
      payload.issues === undefined &&
      keyIssue.length === 0
    ) {
      const { idempotencyKey = "" } = shape.data;
      const parts = partsOf(features, contract, payload.value, options);
      return { contract, payloadJson, idempotencyKey, options, content: content.text, parts };
    }
    throw refusal([
      ...shapeFaults(shape.error),
      ...typeFaults(sent.type, contract, application),
      ...keyIssue,
      ...contentFaults(content),
      ...payloadFaults(payload?.issues),
    ]);
  };
}

const NO_PARTS: readonly JobPart[] = [];

function partsOf(
  features: readonly SubmitPoints[],
  contract: JobContract,
  payload: unknown,
  options: SubmissionOptions,
): readonly JobPart[] {
  let parts = NO_PARTS;
  for (const { partOf } of features) {
    const part = partOf?.(contract, payload, options);
    if (part !== undefined) parts = [...parts, part];
  }
  return parts;
}

function shapeFaults(error: z.ZodError | undefined): Fault[] {
  return schemaIssues(error?.issues).map((issue) => ({ code: "INVALID_REQUEST", ...issue }));
}

function typeFaults(
  type: unknown,
  contract: JobContract | undefined,
  application: Pick<Application, "jobs">,
): Fault[] {
  if (typeof type !== "string" || contract !== undefined) return [];
  const known = [...application.jobs.keys()].join(", ");
  return [{ code: "UNKNOWN_JOB_TYPE", pointer: "/type", message: `expected one of ${known}` }];
}

function keyFaults(key: unknown, keyFaultOf: typeof keyFault): Fault[] {
  const pointer = "/idempotencyKey";
  if (key === undefined)
    return [{ code: "IDEMPOTENCY_KEY_MISSING", pointer, message: "expected a key of 1 to 255 characters" }];
  const message = typeof key === "string" ? keyFaultOf(key) : undefined;
  return message === undefined ? [] : [{ code: "IDEMPOTENCY_KEY_INVALID", pointer, message }];
}

function contentFaults(content: ReturnType<typeof canonicalJson>): Fault[] {
  if (content.kind === "json") return [];
  return content.issues.map((issue) => ({
    code: issue.pointer.startsWith("/payload") ? "INVALID_PAYLOAD" : "INVALID_REQUEST",
    ...issue,
  }));
}

function payloadFaults(issues: readonly SchemaIssue[] | undefined): Fault[] {
  return schemaIssues(issues, ["payload"]).map((issue) => ({ code: "INVALID_PAYLOAD", ...issue }));
}

function refusal(faults: readonly Fault[]): HoldfastError {
  const code =
    precedence.find((candidate) => faults.some((fault) => fault.code === candidate)) ?? "INVALID_REQUEST";
  const issues = faults.map(({ pointer, message }) => ({ pointer, message }));
  const [first] = faults.filter((fault) => fault.code === code);
  const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : "";
  return new HoldfastError(code, `${first?.pointer || "/"}: ${first?.message ?? "malformed"}${more}`, {
    issues,
  });
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
