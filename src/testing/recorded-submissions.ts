import { HoldfastError } from "../errors/holdfast-error.ts";
import type { JobContract } from "../job/define-job.ts";
import { newJobId } from "../job/job-id.ts";
import type { SubmissionOptions } from "../submit/submission.ts";
import { validateSubmission } from "../submit/validate.ts";
import type { SubmitNext } from "../worker/submit-next.ts";

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
  readonly submit: SubmitNext;
  /** Each job once, in the order of submission. */
  submitted(): RecordedSubmission[];
}

/** Checks submissions as the store's path does, and keeps them. */
export function recordSubmissions(): Recorder {
  const known = new Map<string, RecordedSubmission & { readonly content: string }>();
  return {
    submitted: () => [...known.values()].map(({ content, ...submission }) => submission),
    async submit(job, input) {
      const { type } = job;
      // What a handler has is a whole contract, or it could not be submitted by a worker.
      const application = { jobs: new Map([[type, job as JobContract]]) };
      const { contract, content, payload, idempotencyKey, options } = validateSubmission(application, input);
      const key = `${type}\0${idempotencyKey}`;
      const first = known.get(key);
      if (first !== undefined && first.content !== content)
        throw new HoldfastError("IDEMPOTENCY_KEY_REUSED", "This idempotency key was used with other content");
      const id = first?.id ?? newJobId(contract.queue, "000000000000");
      if (first === undefined) known.set(key, { id, type, idempotencyKey, payload, options, content });
      return { id, type, idempotencyKey, duplicate: first !== undefined };
    },
  };
}
