import type { Application } from "../core/job/application.ts";
import type { JobStatus } from "../core/job/job-status.ts";
import type { ProducibleJob, Receipt, SubmitOptions } from "../core/job/submit-options.ts";
import type { FeatureProducer } from "../core/submit/joint-submission.ts";
import { submissionOf } from "../core/submit/submission.ts";
import { openSubmitPath, type SubmitPath } from "../core/submit/submit-path.ts";
import { features } from "../features/index.ts";
import { type Environment, readSettings } from "../platform/config/settings.ts";
import { givenList, givenObject } from "../platform/errors/given.ts";
import { HoldfastError } from "../platform/errors/holdfast-error.ts";
import type { WithLogger } from "../platform/lib/logger.ts";
import { mapInFlight } from "../platform/lib/map-in-flight.ts";
import { orStop, type Running } from "../platform/lib/running.ts";
import { type ReadStatus, readStatusBy, type Submission, type SubmitResult } from "./job-types.ts";

/** A producer without HTTP: the same path, and so the same rules, as the API. */
export interface Producer extends FeatureProducer, Running, AsyncDisposable {
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
  const together = await orStop(path, joinedCalls(application, path));
  // Loaded with the first read: most producers only submit.
  let reading: Promise<(id: string) => Promise<JobStatus | undefined>> | undefined;
  const readStatus = async (id: string) => {
    reading ??= import("../features/job-status.ts").then(({ openStatusReader }) => openStatusReader(stores));
    return await (await reading)(id);
  };
  return {
    submit: async (job, payload, options) => await submitter.submit(submissionOf(job, payload, options)),
    async submitMany(job, submissions) {
      const checked = givenList(submissions, "/submissions").map((submission, index) => {
        const { payload, ...options } = givenObject(submission, `/submissions/${index}`);
        return submitter.check(submissionOf(job, payload, options));
      });
      return mapInFlight(checked, IN_FLIGHT_MAX, (submit) => submit().catch(asHoldfastError));
    },
    ...together,
    status: readStatusBy(readStatus),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** The methods by which features let jobs be submitted together. */
async function joinedCalls(application: Application, path: SubmitPath): Promise<FeatureProducer> {
  const modules = await Promise.all(features.map(({ joint }) => joint?.load()));
  const calls = modules.flatMap((module) => {
    if (module === undefined) return [];
    const { name, inputOf, open } = module.joint;
    const submit = open(application, path);
    return [[name, async (given: unknown) => await submit(inputOf(given), { isShared: true })]];
  });
  return Object.fromEntries(calls) as FeatureProducer;
}

function asHoldfastError(error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error;
  throw error;
}
