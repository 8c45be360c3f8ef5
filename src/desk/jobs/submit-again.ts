import { openEnvelope } from "../../core/bullmq/add/envelope.ts";
import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { jobNotFound } from "../../core/job/job-id.ts";
import type { JobStatus } from "../../core/job/job-status.ts";
import { REDACTED } from "../../core/job/redaction.ts";
import type { Receipt } from "../../core/job/submit-options.ts";
import type { StatusReader } from "../../core/status/read-status.ts";
import type { Submitter } from "../../core/submit/submitter.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { inTime } from "../../platform/redis/redis-errors.ts";
import { appendToAuditLog, storedReason } from "../audit/audit-log.ts";
import { readEnvelopeJson } from "./job-record.ts";

/** A new job from an old one. */
export interface AgainRequest {
  /** Of the new job: another one than the old job's. */
  readonly idempotencyKey: string;
  /** Why, for the audit log: 1 to 500 characters. */
  readonly reason: string;
  readonly by: string;
  /** @default the old job's, as it was submitted */
  readonly payload?: unknown;
  /** As in `POST /jobs`. @default none */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
  /** Whether an effect in doubt may happen again. @default false */
  readonly confirm?: boolean | undefined;
}

interface Parts {
  readonly store: QueueStore;
  readonly readStatus: StatusReader;
  readonly submit: Submitter["submit"];
}

/** Submits a new job from an old one, on record before it, and after it with both ids. The whole has the time of one answer. */
export async function submitAgain(parts: Parts, id: string, request: AgainRequest): Promise<Receipt> {
  return await inTime(recordAndSubmit(parts, id, request));
}

async function recordAndSubmit(
  { store, readStatus, submit }: Parts,
  id: string,
  request: AgainRequest,
): Promise<Receipt> {
  const { reason, by, idempotencyKey, options, confirm = false } = request;
  const [status, envelope] = await Promise.all([readStatus(id), readEnvelopeJson(store, id)]);
  if (status === undefined || envelope === null) throw jobNotFound();
  if (!confirm) refuseDoubts(status);
  const old = openEnvelope(store, id, JSON.parse(envelope));
  if (old.key === idempotencyKey) throw invalid("idempotencyKey: expected another key than the old job's");
  const { payload = old.payload } = request;
  if (payload !== old.payload && JSON.stringify(payload).includes(REDACTED))
    throw invalid(`payload: replace each ${REDACTED} with its value, or leave the payload out`);
  const record = (as: string, evidence: string, instead?: string) =>
    appendToAuditLog(store, {
      job: id,
      as,
      evidence: storedReason(store, evidence),
      by,
      ...(instead && { instead }),
    });
  const begun = await record("submit-again-started", reason);
  const receipt = await submit({ type: status.type, payload, idempotencyKey, options });
  await record("submitted-again", `as ${receipt.id}: ${reason}`, begun);
  return receipt;
}

/** Nobody knows whether these effects happened; the new job has a key of its own, so they would happen anew. */
function refuseDoubts({ effects }: JobStatus): void {
  const names = (state: string) => effects.filter((effect) => effect.state === state).map(({ name }) => name);
  const refuse = (what: string) => {
    throw new HoldfastError(
      "EFFECT_IN_DOUBT",
      `${what}: a new job may repeat it. Resolve it first, or confirm that it may happen again.`,
    );
  };
  const [inDoubt, underWay] = [names("in-doubt"), names("reserved")];
  if (inDoubt.length > 0) refuse(`In doubt: ${inDoubt.join(", ")}`);
  if (underWay.length > 0) refuse(`May be under way: ${underWay.join(", ")}`);
}

function invalid(message: string): HoldfastError {
  return new HoldfastError("INVALID_REQUEST", message);
}
