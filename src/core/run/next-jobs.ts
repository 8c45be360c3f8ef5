import type { ErrorCode } from "../../platform/errors/error-codes.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { Abort } from "../../platform/lib/abort.ts";
import { wait } from "../../platform/lib/wait.ts";
import type { ClaimedJob } from "../bullmq/claim/claimed-job.ts";
import { type NextOptions, nextKey, nextNameFault } from "../job/idempotency-key.ts";
import type { ProducibleJob, Receipt } from "../job/submit-options.ts";
import { type SentSubmission, submissionOf } from "../submit/submission.ts";
import { type AttemptPart, ownFaults } from "./given-attempt.ts";

/** Checks a submission as `Submitter.check` does, given the contract that the handler has. */
export type CheckNext = (job: ProducibleJob<unknown>, input: SentSubmission) => () => Promise<Receipt>;

/** What a handler gets. */
export function givenSubmit(checkNext: CheckNext): NonNullable<AttemptPart["given"]> {
  return (job, abort) => ({
    submit: (next, payload, options) =>
      ownFaults(
        job,
        `submit of "${next.type}"`,
        submitNext({ job, abort, checkNext }, next, payload, options),
      ),
  });
}

interface Parts {
  readonly job: ClaimedJob;
  readonly abort: Abort;
  readonly checkNext: CheckNext;
}

const RETRY_MS = 500;

/** Submits a job for a handler, again and again until Redis answers or the attempt is aborted: the key is the same each time. */
async function submitNext<PayloadIn>(
  { job, abort, checkNext }: Parts,
  next: ProducibleJob<PayloadIn>,
  payload: PayloadIn,
  { name = next.type, ...options }: NextOptions = {},
): Promise<Receipt> {
  const fault = nextNameFault(name);
  if (fault !== undefined)
    throw new HoldfastError("INVALID_REQUEST", `submit: name: ${fault}, got "${name}"`);
  const idempotencyKey = nextKey(job.type, job.envelope.key, name);
  const submit = checkNext(next, submissionOf(next, payload, { ...options, idempotencyKey }));
  for (;;) {
    abort.throwIfAborted();
    // Another worker may run the job by now, and have other content for the key.
    job.lease.assert();
    try {
      return await submit();
    } catch (error) {
      if (!passes(error)) throw explained(error, name);
      await wait(error.retryAfterMs ?? RETRY_MS, abort.signal);
    }
  }
}

/** What waiting can mend. A store that was rolled back, or is unfit, needs a person: the job waits for that without using up an attempt. */
const passing = new Set<ErrorCode>([
  "STORE_UNAVAILABLE",
  "STORE_FULL",
  "CLOCK_WRONG",
  "ENCRYPTION_KEYS_DIFFER",
]);

function passes(error: unknown): error is HoldfastError {
  return error instanceof HoldfastError && passing.has(error.code);
}

function explained(error: unknown, name: string): unknown {
  if (!(error instanceof HoldfastError)) return error;
  const { code, issues, retryAfterMs } = error;
  const message =
    code === "IDEMPOTENCY_KEY_REUSED"
      ? "this job has submitted other content under this name. Give each submission a name of its own, and the same content in each attempt"
      : error.message;
  return new HoldfastError(code, `submit "${name}": ${message}`, { cause: error, issues, retryAfterMs });
}
