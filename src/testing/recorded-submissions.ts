import type { JobContract } from "../core/job/define-job.ts";
import { newJobId } from "../core/job/job-id.ts";
import type { Receipt } from "../core/job/submit-options.ts";
import type { CheckNext } from "../core/run/submit-next.ts";
import type { SubmissionOptions } from "../core/submit/submission.ts";
import { openValidator, type ValidSubmission } from "../core/submit/validate.ts";
import { features } from "../features/index.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";

/** A job that a handler submitted in a test. */
export interface RecordedSubmission {
  readonly id: string;
  readonly type: string;
  /** Made of the running job's type and key, and the submission's name. */
  readonly idempotencyKey: string;
  /** As it was submitted, before defaults of its schema. */
  readonly payload: unknown;
  /** As the API would get them: instants are ISO 8601. */
  readonly options: SubmissionOptions;
}

interface Recorder {
  readonly checkNext: CheckNext;
  /** Each job once, in the order of submission. */
  submitted(): RecordedSubmission[];
}

/** Checks submissions as the store's path does, and keeps them. */
export function recordSubmissions(): Recorder {
  const validate = openValidator(features);
  const known = new Map<string, RecordedSubmission & { readonly content: string }>();

  function record({ contract, content, payloadJson, idempotencyKey, options }: ValidSubmission): Receipt {
    const { type, queue } = contract;
    const key = `${type}\0${idempotencyKey}`;
    const first = known.get(key);
    if (first !== undefined && first.content !== content)
      throw new HoldfastError("IDEMPOTENCY_KEY_REUSED", "This idempotency key was used with other content");
    const id = first?.id ?? newJobId(queue, "000000000000");
    const payload: unknown = payloadJson === undefined ? undefined : JSON.parse(payloadJson);
    if (first === undefined) known.set(key, { id, type, idempotencyKey, payload, options, content });
    return { id, type, idempotencyKey, duplicate: first !== undefined };
  }

  return {
    submitted: () => [...known.values()].map(({ content, ...submission }) => submission),
    checkNext(job, input) {
      // What a handler has is a whole contract, or it could not be submitted by a worker.
      const application = { jobs: new Map([[job.type, job as JobContract]]) };
      const checked = later(() => validate(application, input));
      return async () => record(checked());
    },
  };
}

/** Does it now; what it returned, or threw, comes with each call. */
function later<T>(work: () => T): () => T {
  try {
    const done = work();
    return () => done;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}
