interface Kind {
  readonly httpStatus: number;
  readonly retryable: boolean;
  readonly title: string;
}

const final = (httpStatus: number, title: string): Kind => ({ httpStatus, retryable: false, title });
const retryable = (httpStatus: number, title: string): Kind => ({ httpStatus, retryable: true, title });

/**
 * Every code that Holdfast answers or throws.
 *
 * The number is the HTTP status that the API answers. The same request or job can succeed unchanged if it is `retryable`. A test fails if a
 * code is unused, or not explained in `docs/errors.md` or `docs/errors-of-jobs.md`.
 */
export const errorCodes = {
  // A request that cannot be accepted. Nothing was stored.
  INVALID_REQUEST: final(400, "The request is malformed"),
  INVALID_PAYLOAD: final(400, "The payload does not match the job's schema"),
  UNKNOWN_JOB_TYPE: final(400, "No such job type"),
  IDEMPOTENCY_KEY_MISSING: final(400, "An idempotency key is required"),
  IDEMPOTENCY_KEY_INVALID: final(400, "The idempotency key is not valid"),
  IDEMPOTENCY_KEY_REUSED: final(422, "The key was used for other content"),
  FLOW_ACROSS_QUEUES: final(422, "The jobs of a flow must be in one queue without partitions"),
  CHILD_OF_OTHER_FLOW: retryable(409, "Another flow waits for this child"),
  UNAUTHENTICATED: final(401, "A valid API key is required"),
  FORBIDDEN: final(403, "The API key lacks the scope"),
  CROSS_SITE_REQUEST: final(403, "The request comes from another site"),
  HOST_NOT_ALLOWED: final(421, "This host name is not served"),
  RATE_LIMITED: retryable(429, "The API key has used up its limit"),
  JOB_NOT_FOUND: final(404, "No such job, act or guarded effect"),
  QUEUE_NOT_FOUND: final(404, "No such queue"),
  WORKER_NOT_FOUND: final(404, "No such worker"),
  SCHEDULE_NOT_FOUND: final(404, "No such schedule"),
  SCHEDULE_DECLARED: final(409, "The application declares this schedule"),
  RECEIVER_NOT_FOUND: final(404, "No such receiver of notices"),
  OUTBOX_NOT_FOUND: final(404, "There is no outbox"),
  OUTBOX_ROW_NOT_FOUND: final(404, "No such parked row"),
  ROUTE_NOT_FOUND: final(404, "No such resource"),
  EFFECT_NOT_IN_DOUBT: final(409, "The effect is not in doubt"),
  RESERVATION_LOST: final(409, "The effect is not reserved by this run"),
  RUN_MAY_BE_PENDING: final(409, "The effect's first run may still be under way"),
  RUN_SAID_DONE: final(409, "The effect's run has reported that it was done"),
  EFFECTS_FORGOTTEN: final(409, "What was known of the job's effects is gone"),
  JOB_NOT_FAILED: final(409, "Only a failed job can be retried"),
  JOB_NOT_ENDED: final(409, "Only a job that has ended can be deleted"),
  JOB_IN_DOUBT: final(409, "An effect of the job is in doubt"),
  CHANGED_MEANWHILE: final(409, "It has changed since you looked"),
  JOB_ENDED: final(409, "The job has already ended"),
  OUTBOX_ROW_TOO_OLD: final(409, "The row is older than its key is remembered"),
  METHOD_NOT_ALLOWED: final(405, "The resource does not support this method"),
  REQUEST_TIMED_OUT: retryable(408, "The request did not arrive in time"),
  OUTBOX_ROW_UNREADABLE: final(422, "The database cannot give the row"),
  OUTBOX_ROW_TOO_LARGE: final(413, "The row is too large for a relay"),
  BODY_TOO_LARGE: final(413, "The body is too large"),
  UNSUPPORTED_MEDIA_TYPE: final(415, "The body must be JSON"),

  // The service cannot do its part now. The same request with the same key is safe to send again.
  STORE_UNAVAILABLE: retryable(503, "The store cannot be reached"),
  STORE_FULL: retryable(503, "The store has no room for new jobs"),
  STORE_ROLLED_BACK: retryable(503, "The store has lost data that it had acknowledged"),
  STORE_UNFIT: retryable(503, "The store cannot give the promised durability"),
  DATABASE_UNAVAILABLE: retryable(503, "The database cannot be reached"),
  CLOCK_WRONG: retryable(503, "The process's clock differs from Redis's"),
  ENCRYPTION_KEYS_DIFFER: retryable(503, "The process's encryption keys do not fit those in use"),
  TOO_MANY_BODIES: retryable(503, "Too many request bodies at once"),
  TOO_MANY_SUBSCRIBERS: retryable(503, "Too many subscribers"),
  DECRYPTION_FAILED: retryable(500, "Stored data cannot be decrypted"),
  SCHEMA_FAILED: final(500, "A schema of the contract failed"),
  INTERNAL: retryable(500, "Something went wrong in Holdfast"),

  // What a client of the API throws by itself.
  API_UNREACHABLE: retryable(503, "The API cannot be reached"),
  ANSWER_INVALID: final(502, "The answer is not Holdfast's"),

  // Why an attempt or a job failed.
  HANDLER_FAILED: retryable(500, "The handler threw an error"),
  PERMANENT_FAILURE: final(500, "The handler failed the job for good"),
  ATTEMPT_TIMED_OUT: retryable(500, "The attempt exceeded its time-out"),
  LOCK_LOST: retryable(500, "The worker lost its lock on the job"),
  WORKER_STOPPING: retryable(500, "The worker was stopped during the attempt"),
  STARTS_EXHAUSTED: final(500, "The job failed or crashed too often"),
  CHILD_FAILED: final(500, "A child of the flow failed"),
  EXPIRED: final(500, "No worker began the job in time"),
  SNOOZED: retryable(500, "The handler asked to be called later"),
  SNOOZES_EXHAUSTED: final(500, "The job was snoozed too often or too long"),
  CANCELLED: final(500, "The job was cancelled"),
  EFFECT_IN_DOUBT: final(409, "Nobody can know whether a side effect happened"),
  IN_DOUBT: final(409, "Nobody can know whether a guarded effect happened"),
  EFFECT_BUSY: retryable(409, "Another worker may still run this side effect"),
  NO_HANDLER: retryable(500, "This worker has no handler for the job's type"),
  EFFECT_TIMED_OUT: retryable(500, "The side effect exceeded its time-out"),
  RESULT_INVALID: final(500, "The result does not match the job's schema"),

  // The process cannot start, or the command was wrong.
  CONFIG_INVALID: final(500, "The environment is not valid"),
  APPLICATION_INVALID: final(500, "The application is not valid"),
  OUTBOX_VERSION_UNKNOWN: final(500, "The outbox's table is of an unknown version"),
  QUEUE_CHANGED: final(500, "A job type has changed its queue"),
  PARTITIONS_REFUSED: final(409, "The queue cannot be divided now"),
  STORE_REFUSED: final(503, "The store rejects this process"),
  START_FAILED: retryable(500, "The process could not start"),
  FAILOVER_FAILED: retryable(503, "The planned failover did not happen"),
  WORKER_STUCK: retryable(500, "Jobs wait, and the worker claims none"),
  EVENT_LOOP_BLOCKED: retryable(500, "The process's event loop was blocked"),
  USAGE: final(500, "Wrong usage"),
} satisfies Record<string, Kind>;

/** A stable name of one kind of failure. */
export type ErrorCode = keyof typeof errorCodes;

/** Narrows a string, e.g. one read from Redis, to a known code. */
export function isErrorCode(text: string): text is ErrorCode {
  return Object.hasOwn(errorCodes, text);
}
