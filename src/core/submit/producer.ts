import type { Flow, FlowReceipt } from "../../features/flows/flow.ts";
import { flowInput } from "../../features/flows/flow-input.ts";
import { type Environment, readSettings } from "../../platform/config/settings.ts";
import { HoldfastError } from "../../platform/errors/holdfast-error.ts";
import type { WithLogger } from "../../platform/lib/logger.ts";
import { mapInFlight } from "../../platform/lib/map-in-flight.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import { connectQueues } from "../bullmq/store/connect-queues.ts";
import { createEvents } from "../events.ts";
import type { Feature } from "../feature.ts";
import type { Application } from "../job/define-config.ts";
import type { JobStatus } from "../job/job-status.ts";
import type {
  ProducibleJob,
  Receipt,
  Submission,
  SubmitOptions,
  SubmitResult,
} from "../job/submit-options.ts";
import { logSubmissions } from "../log-events.ts";
import { openStatusReader } from "../status/read-status.ts";
import { submissionOf } from "./submission.ts";
import { startInSubmitter } from "./submit-path.ts";
import { createSubmitter } from "./submitter.ts";

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
  /** @returns undefined when there is no such job any more */
  status(id: string): Promise<JobStatus | undefined>;
}

const IN_FLIGHT_MAX = 128;

/** See `createProducer`. */
export async function openProducer(
  application: Application,
  features: readonly Feature[],
  env?: Environment,
  { logger }: WithLogger = {},
): Promise<Producer> {
  const settings = readSettings(env);
  const events = createEvents();
  if (logger !== undefined) logSubmissions(events, logger);
  const queues = await connectQueues(application, settings, "fail-fast", logger, "guest");
  const submitter = createSubmitter(application, queues, settings, events);
  const parts = startInSubmitter(features, { events, stores: queues.stores, jobs: application.jobs });
  const stop = stopOnce(() => stopAll([queues, parts]));
  return {
    submit: async (job, payload, options) => await submitter.submit(submissionOf(job, payload, options)),
    async submitMany(job, submissions) {
      const checked = submissions.map(({ payload, ...options }) =>
        submitter.check(submissionOf(job, payload, options)),
      );
      return mapInFlight(checked, IN_FLIGHT_MAX, (submit) => submit().catch(asHoldfastError));
    },
    submitFlow: (flow) => submitter.submitFlow(flowInput(flow), true),
    status: openStatusReader(queues.stores),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

function asHoldfastError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  throw error;
}
