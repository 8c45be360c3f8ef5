import type { Application } from "../../core/job/application.ts";
import type { SubmitPath } from "../../core/submit/submit-path.ts";
import type { Validate } from "../../core/submit/validate.ts";
import type { Settings } from "../../platform/config/settings.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { malformed, parseJson } from "../../platform/lib/parse-json.ts";
import type { BullmqQueue } from "./bullmq-queue.ts";

export interface ImportRequest {
  /** What the queue's keys begin with: prefix and name. It is a part of its jobs' idempotency keys. */
  readonly start: string;
  /** The type of job that they become. */
  readonly type: string;
  /** Only jobs of this name. */
  readonly name?: string | undefined;
  /** Check everything and change nothing. */
  readonly dryRun: boolean;
  /** Who, for the audit log. */
  readonly by: string;
}

/** What is not imported, and why. */
export interface ImportIssue {
  readonly what: "job" | "schedule";
  /** As BullMQ knows it. */
  readonly id: string;
  readonly code: string;
  readonly message: string;
}

export interface ImportParts {
  readonly queue: BullmqQueue;
  readonly path: SubmitPath;
  readonly application: Application;
  readonly settings: Settings;
  readonly validate: Validate;
  readonly onIssue: (issue: ImportIssue) => void;
  /** Called for each job that was imported, or found to be importable. */
  readonly onProgress: (report: ImportReport) => void;
}

export interface CarriedLimits {
  readonly queue: string;
  readonly concurrency: number | null;
  /** @example "10/1s" */
  readonly rate: string | null;
  /** False where the queue keeps limits of its own. */
  readonly isCarried: boolean;
}

/** What an import has done; of a dry run, what one would do. */
export interface ImportReport {
  jobs: number;
  /** Of these, accepted by an earlier import that was interrupted. */
  duplicates: number;
  schedules: number;
  /** The queue that is paused because BullMQ's is; null where that is not. */
  paused: string | null;
  /** What limits BullMQ's queue, and whether that is in force here; null where nothing does. */
  limits: CarriedLimits | null;
  /** What does not fit. It stays in BullMQ's queue; what an earlier import withdrew stays withdrawn. */
  issues: number;
}

/** What a submission may take once it was begun, with everything around it. */
const SUBMIT_MAX_MS = 60_000;

/** A job that was withdrawn longer ago than keys are remembered may have been accepted, and would become a second job. */
export function requireYoung(ageMs: number, { HOLDFAST_RETENTION_MS: retentionMs }: Settings): void {
  if (ageMs <= retentionMs - Math.min(SUBMIT_MAX_MS, retentionMs / 2)) return;
  const message =
    "An import withdrew it and was interrupted, about as long ago as keys are remembered: it could be submitted twice";
  throw new HoldfastError("INVALID_REQUEST", message);
}

/** @throws the fault itself where another run may succeed */
export function importProblem(error: unknown): { readonly code: string; readonly message: string } {
  if (!(error instanceof HoldfastError) || error.retryable) throw error;
  return { code: error.code, message: error.message };
}

export function payloadOf(data: string): unknown {
  let parsed: ReturnType<typeof parseJson>;
  try {
    parsed = parseJson(data);
  } catch (cause) {
    throw new HoldfastError("INVALID_PAYLOAD", "/payload: expected JSON", { cause });
  }
  if (parsed.issues.length === 0) return parsed.value;
  throw malformed(parsed.issues);
}
