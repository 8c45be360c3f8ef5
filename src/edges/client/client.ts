import type { JobStatus } from "../../core/job/job-status.ts";
import type { ProducibleJob, Receipt, SubmitOptions } from "../../core/job/submit-options.ts";
import type { FeatureClient } from "../../core/submit/joint-submission.ts";
import {
  type PayloadOf,
  type ReadStatus,
  readStatusBy,
  type Submission,
  type SubmitResult,
} from "../../desk/job-types.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import { type ApiCalls, type ClientOptions, openApi } from "./api.ts";
import { followStates, statusPath, type WaitOptions, waitForEnd } from "./follow.ts";
import { joined } from "./operations.ts";
import { type OperatorCalls, operatorCalls } from "./operator.ts";
import { type JobName, submitMany, submitOne } from "./submit.ts";
import { submitTogether } from "./submit-together.ts";

export interface Abortable {
  /** Ends the call, which then throws the signal's reason. @default none */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A client of the HTTP API, on `fetch` alone.
 *
 * Whatever is safe to repeat is sent again after 503, 429, a time-out or a lost connection, until `timeoutMs` is over:
 * submissions, with their key, and reads. What failed until then is thrown.
 *
 * @throws HoldfastError with the code of the API's answer, e.g. `INVALID_PAYLOAD`; `API_UNREACHABLE` if no answer came;
 *   `ANSWER_INVALID` if something else answered
 */
export interface Client<Contracts extends ProducibleJob<unknown> = ProducibleJob<unknown>>
  extends OperatorCalls,
    FeatureClient {
  /**
   * Creates a job, unless its key was used before; then the receipt is the first job's, marked `duplicate`.
   *
   * @param job the name of the type, or its contract
   * @throws HoldfastError e.g. `INVALID_PAYLOAD`, `IDEMPOTENCY_KEY_REUSED`
   * @example
   * const { id } = await client.submit("welcome-email", { email: "anoop@example.com", … }, { idempotencyKey: "signup-42" });
   */
  submit<Type extends Contracts["type"]>(
    job: Type,
    payload: PayloadOf<Contracts, NoInfer<Type>>,
    options: SubmitOptions & Abortable,
  ): Promise<Receipt>;
  submit<PayloadIn>(
    job: ProducibleJob<PayloadIn>,
    payload: NoInfer<PayloadIn>,
    options: SubmitOptions & Abortable,
  ): Promise<Receipt>;
  /**
   * Creates many jobs, 1,000 in one request; `timeoutMs` counts for each request. Each job has its own result, in order; a
   * refused one does not affect the others.
   */
  submitMany<Type extends Contracts["type"]>(
    job: Type,
    submissions: readonly Submission<PayloadOf<Contracts, NoInfer<Type>>>[],
    options?: Abortable,
  ): Promise<SubmitResult[]>;
  submitMany<PayloadIn>(
    job: ProducibleJob<PayloadIn>,
    submissions: readonly Submission<NoInfer<PayloadIn>>[],
    options?: Abortable,
  ): Promise<SubmitResult[]>;
  readonly status: ReadStatus;
  /**
   * Waits until the job has ended.
   *
   * @returns its status then, or when the time is up: look at `state`
   * @throws HoldfastError `JOB_NOT_FOUND`
   */
  wait(id: string, options?: WaitOptions): Promise<JobStatus>;
  /**
   * The job's states, from the current one to its end, progress included. A lost connection is opened again.
   *
   * @throws HoldfastError `JOB_NOT_FOUND`
   * @example for await (const { state, progress } of client.follow(id)) show(state, progress);
   */
  follow(id: string, options?: Abortable): AsyncGenerator<JobStatus, void>;
}

/**
 * Makes a client. It sends nothing yet, and needs no end.
 *
 * @throws HoldfastError `CONFIG_INVALID` for a `url` that no request can be sent to
 * @example
 * import type { welcomeEmail } from "./jobs/welcome-email/contract.js";
 *
 * const client = createClient<typeof welcomeEmail>({ url: "https://jobs.example.com", key });
 */
export function createClient<Contracts extends ProducibleJob<unknown> = ProducibleJob<unknown>>(
  options: ClientOptions,
): Client<Contracts> {
  const api = openApi(options);
  return {
    submit(job: JobName, payload: unknown, given: SubmitOptions & Abortable) {
      // JavaScript can give anything: the API says what is missing.
      const { signal, ...options } = given ?? {};
      return submitOne(api, job, { ...options, payload }, signal);
    },
    submitMany: (job: JobName, submissions: readonly Submission<unknown>[], { signal }: Abortable = {}) =>
      submitMany(api, job, submissions, signal),
    ...joinedCalls(api),
    status: readStatusBy((id) => api.again<JobStatus>({ path: statusPath(id) }).catch(undefinedIfGone)),
    wait: (id, options = {}) => waitForEnd(api, id, options),
    follow: (id, { signal } = {}) => followStates(api, id, signal),
    ...operatorCalls(api),
  };
}

/** The methods by which features let jobs be submitted together. */
function joinedCalls(api: ApiCalls): FeatureClient {
  const calls = Object.entries(joined).map(([name, how]) => [
    name,
    (given: Readonly<Record<string, unknown>>, { signal }: Abortable = {}) =>
      submitTogether(api, how, given, signal),
  ]);
  return Object.fromEntries(calls) as FeatureClient;
}

function undefinedIfGone(thrown: unknown): undefined {
  if (!(thrown instanceof HoldfastError && thrown.code === "JOB_NOT_FOUND")) throw thrown;
}
