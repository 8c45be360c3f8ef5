import type { Application } from "../core/job/application.ts";
import type { JobStatus } from "../core/job/job-status.ts";
import type { ProducibleJob, Receipt, SubmitOptions } from "../core/job/submit-options.ts";
import { submissionOf } from "../core/submit/submission.ts";
import { openSubmitPath } from "../core/submit/submit-path.ts";
import type { Flow, FlowReceipt } from "../features/flows/flow.ts";
import { flowInput } from "../features/flows/flow-input.ts";
import { openFlowSubmitter } from "../features/flows/flow-submitter.ts";
import { features } from "../features/index.ts";
import { type Environment, readSettings } from "../platform/config/settings.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import type { WithLogger } from "../platform/lib/logger.ts";
import { mapInFlight } from "../platform/lib/map-in-flight.ts";
import type { Running } from "../platform/lib/running.ts";
import { type ReadStatus, readStatusBy, type Submission, type SubmitResult } from "./job-types.ts";

/** A producer without HTTP: the same path, and so the same rules, as the API. */
export interface Producer extends Running, AsyncDisposable {
  /**
   * Creates a job, unless its key was used before; then the receipt is the first job's, marked `duplicate`.
   *
   * @throws HoldfastError as `POST /jobs` answers, e.g. `INVALID_PAYLOAD`, `IDEMPOTENCY_KEY_REUSED`, `STORE_UNAVAILABLE`
   */
  submit<PayloadIn>(
    job: ProducibleJob<PayloadIn>,
    payload: NoInfer<PayloadIn>,
    options: SubmitOptions,
  ): Promise<Receipt>;
  /** Creates many jobs. Each has its own result, in order; a refused one does not affect the others. */
  submitMany<PayloadIn>(
    job: ProducibleJob<PayloadIn>,
    submissions: readonly Submission<NoInfer<PayloadIn>>[],
  ): Promise<SubmitResult[]>;
  /**
   * Creates a job that runs when others have ended, and those others. Submitted again with the same keys, it finishes what a crash has left
   * half done.
   *
   * @throws HoldfastError as `submit`, for the first job that is refused; `FLOW_ACROSS_QUEUES`, `CHILD_OF_OTHER_FLOW`
   * @example
   * await producer.submitFlow({
   *   parent: { job: book, payload: { title }, idempotencyKey: title },
   *   children: chapters.map((chapter) => ({ job: render, payload: { chapter } })),
   * });
   */
  submitFlow<ParentIn, const ChildrenIn extends readonly unknown[]>(
    flow: Flow<ParentIn, ChildrenIn>,
  ): Promise<FlowReceipt>;
  readonly status: ReadStatus;
}

const IN_FLIGHT_MAX = 128;

/**
 * Connects a producer to the Redis that the environment names.
 *
 * @param application the default export of `holdfast.config.ts`
 * @param env the variables @default process.env
 * @param options where it logs
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`
 */
export async function createProducer(
  application: Application,
  env?: Environment,
  { logger }: WithLogger = {},
): Promise<Producer> {
  const path = await openSubmitPath(application, readSettings(env), features, { log: logger, as: "guest" });
  const { submitter, stores, stop } = path;
  const submitFlow = openFlowSubmitter(application, path);
  // Loaded with the first read: most producers only submit.
  let reading: Promise<(id: string) => Promise<JobStatus | undefined>> | undefined;
  const readStatus = async (id: string) => {
    reading ??= import("../features/job-status.ts").then(({ openStatusReader }) => openStatusReader(stores));
    return await (await reading)(id);
  };
  return {
    submit: async (job, payload, options) => await submitter.submit(submissionOf(job, payload, options)),
    async submitMany(job, submissions) {
      const checked = submissions.map(({ payload, ...options }) =>
        submitter.check(submissionOf(job, payload, options)),
      );
      return mapInFlight(checked, IN_FLIGHT_MAX, (submit) => submit().catch(asHoldfastError));
    },
    submitFlow: (flow) => submitFlow(flowInput(flow), { isShared: true }),
    status: readStatusBy(readStatus),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function asHoldfastError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  throw error;
}
