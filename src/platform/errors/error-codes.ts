/**
 * Every code that Holdfast answers or throws.
 *
 * `httpStatus` is what the API answers. `retryable` says whether the same request or job can succeed unchanged. A test
 * fails if a code is unused, or not explained in `docs/errors.md`.
 */
export const errorCodes = {
  // A request that cannot be accepted. Nothing was stored.
  INVALID_REQUEST: { httpStatus: 400, retryable: false, title: "The request is malformed" },
  INVALID_PAYLOAD: {
    httpStatus: 400,
    retryable: false,
    title: "The payload does not match the job's schema",
  },
  UNKNOWN_JOB_TYPE: { httpStatus: 400, retryable: false, title: "No such job type" },
  IDEMPOTENCY_KEY_MISSING: { httpStatus: 400, retryable: false, title: "An idempotency key is required" },
  IDEMPOTENCY_KEY_INVALID: { httpStatus: 400, retryable: false, title: "The idempotency key is not valid" },
  IDEMPOTENCY_KEY_REUSED: { httpStatus: 422, retryable: false, title: "The key was used for other content" },
  FLOW_ACROSS_QUEUES: {
    httpStatus: 422,
    retryable: false,
    title: "The jobs of a flow must be in one queue without partitions",
  },
  CHILD_OF_OTHER_FLOW: { httpStatus: 409, retryable: true, title: "Another flow waits for this child" },
  UNAUTHENTICATED: { httpStatus: 401, retryable: false, title: "A valid API key is required" },
  FORBIDDEN: { httpStatus: 403, retryable: false, title: "The API key lacks the scope" },
  CROSS_SITE_REQUEST: { httpStatus: 403, retryable: false, title: "The request comes from another site" },
  HOST_NOT_ALLOWED: { httpStatus: 421, retryable: false, title: "This host name is not served" },
  RATE_LIMITED: { httpStatus: 429, retryable: true, title: "The API key has used up its limit" },
  JOB_NOT_FOUND: { httpStatus: 404, retryable: false, title: "No such job" },
  QUEUE_NOT_FOUND: { httpStatus: 404, retryable: false, title: "No such queue" },
  SCHEDULE_NOT_FOUND: { httpStatus: 404, retryable: false, title: "No such schedule" },
  ROUTE_NOT_FOUND: { httpStatus: 404, retryable: false, title: "No such resource" },
  EFFECT_NOT_IN_DOUBT: { httpStatus: 409, retryable: false, title: "The effect is not in doubt" },
  RUN_MAY_BE_PENDING: {
    httpStatus: 409,
    retryable: false,
    title: "The effect's first run may still be under way",
  },
  EFFECTS_FORGOTTEN: {
    httpStatus: 409,
    retryable: false,
    title: "What was known of the job's effects is gone",
  },
  JOB_NOT_FAILED: { httpStatus: 409, retryable: false, title: "Only a failed job can be retried" },
  JOB_NOT_ENDED: { httpStatus: 409, retryable: false, title: "Only a job that has ended can be deleted" },
  JOB_IN_DOUBT: { httpStatus: 409, retryable: false, title: "An effect of the job is in doubt" },
  JOB_ENDED: { httpStatus: 409, retryable: false, title: "The job has already ended" },
  METHOD_NOT_ALLOWED: {
    httpStatus: 405,
    retryable: false,
    title: "The resource does not support this method",
  },
  REQUEST_TIMED_OUT: { httpStatus: 408, retryable: true, title: "The request did not arrive in time" },
  BODY_TOO_LARGE: { httpStatus: 413, retryable: false, title: "The body is too large" },
  UNSUPPORTED_MEDIA_TYPE: { httpStatus: 415, retryable: false, title: "The body must be JSON" },

  // The service cannot do its part now. The same request with the same key is safe to send again.
  STORE_UNAVAILABLE: { httpStatus: 503, retryable: true, title: "The store cannot be reached" },
  STORE_FULL: { httpStatus: 503, retryable: true, title: "The store has no room for new jobs" },
  STORE_ROLLED_BACK: {
    httpStatus: 503,
    retryable: true,
    title: "The store has lost data that it had acknowledged",
  },
  STORE_UNFIT: { httpStatus: 503, retryable: true, title: "The store cannot give the promised durability" },
  CLOCK_WRONG: { httpStatus: 503, retryable: true, title: "The process's clock differs from Redis's" },
  ENCRYPTION_KEYS_DIFFER: {
    httpStatus: 503,
    retryable: true,
    title: "The process's encryption keys do not fit those in use",
  },
  TOO_MANY_SUBSCRIBERS: { httpStatus: 503, retryable: true, title: "Too many subscribers" },
  DECRYPTION_FAILED: { httpStatus: 500, retryable: true, title: "Stored data cannot be decrypted" },
  INTERNAL: { httpStatus: 500, retryable: true, title: "Something went wrong in Holdfast" },

  // What a client of the API throws by itself.
  API_UNREACHABLE: { httpStatus: 503, retryable: true, title: "The API cannot be reached" },
  ANSWER_INVALID: { httpStatus: 502, retryable: false, title: "The answer is not Holdfast's" },

  // Why an attempt or a job failed.
  HANDLER_FAILED: { httpStatus: 500, retryable: true, title: "The handler threw an error" },
  PERMANENT_FAILURE: { httpStatus: 500, retryable: false, title: "The handler failed the job for good" },
  ATTEMPT_TIMED_OUT: { httpStatus: 500, retryable: true, title: "The attempt exceeded its time-out" },
  LOCK_LOST: { httpStatus: 500, retryable: true, title: "The worker lost its lock on the job" },
  WORKER_STOPPING: { httpStatus: 500, retryable: true, title: "The worker was stopped during the attempt" },
  STARTS_EXHAUSTED: { httpStatus: 500, retryable: false, title: "The job failed or crashed too often" },
  CHILD_FAILED: { httpStatus: 500, retryable: false, title: "A child of the flow failed" },
  EXPIRED: { httpStatus: 500, retryable: false, title: "No worker began the job in time" },
  SNOOZED: { httpStatus: 500, retryable: true, title: "The handler asked to be called later" },
  SNOOZES_EXHAUSTED: {
    httpStatus: 500,
    retryable: false,
    title: "The job was snoozed too often or too long",
  },
  CANCELLED: { httpStatus: 500, retryable: false, title: "The job was cancelled" },
  EFFECT_IN_DOUBT: {
    httpStatus: 500,
    retryable: false,
    title: "Nobody can know whether a side effect happened",
  },
  EFFECT_BUSY: { httpStatus: 500, retryable: true, title: "Another worker may still run this side effect" },
  NO_HANDLER: { httpStatus: 500, retryable: true, title: "This worker has no handler for the job's type" },
  EFFECT_TIMED_OUT: { httpStatus: 500, retryable: true, title: "The side effect exceeded its time-out" },
  RESULT_INVALID: { httpStatus: 500, retryable: false, title: "The result does not match the job's schema" },

  // The process cannot start, or the command was wrong.
  CONFIG_INVALID: { httpStatus: 500, retryable: false, title: "The environment is not valid" },
  APPLICATION_INVALID: { httpStatus: 500, retryable: false, title: "The application is not valid" },
  QUEUE_CHANGED: { httpStatus: 500, retryable: false, title: "A job type has changed its queue" },
  PARTITIONS_REFUSED: { httpStatus: 409, retryable: false, title: "The queue cannot be divided now" },
  STORE_REFUSED: { httpStatus: 503, retryable: false, title: "The store rejects this process" },
  START_FAILED: { httpStatus: 500, retryable: true, title: "The process could not start" },
  FAILOVER_FAILED: { httpStatus: 503, retryable: true, title: "The planned failover did not happen" },
  WORKER_STUCK: { httpStatus: 500, retryable: true, title: "Jobs wait, and the worker claims none" },
  EVENT_LOOP_BLOCKED: { httpStatus: 500, retryable: true, title: "The process's event loop was blocked" },
  USAGE: { httpStatus: 500, retryable: false, title: "Wrong usage of the command" },
} as const satisfies Record<string, { httpStatus: number; retryable: boolean; title: string }>;

/** A stable name of one kind of failure. */
export type ErrorCode = keyof typeof errorCodes;

/** Narrows a string, e.g. one read from Redis, to a known code. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}
