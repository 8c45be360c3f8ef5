/**
 * Holdfast's public surface for every process: contracts, producer, operator, scheduler. `holdfast/worker`, `holdfast/server` and
 * `holdfast/testing` have the rest, apart, because bundlers also follow dynamic imports. What none of them exports may change at any time.
 *
 * @module holdfast
 */
import type { createOperator as CreateOperator } from "./operate/operator.ts";
import type { startScheduler as StartScheduler } from "./schedule/start-scheduler.ts";
import type { createProducer as CreateProducer } from "./submit/producer.ts";

export { readEnv } from "./config/application-env.ts";
export type { ErrorCode } from "./errors/error-codes.ts";
export { HoldfastError, type Issue } from "./errors/holdfast-error.ts";
export type { Attempt, AttemptFunction, AttemptLog } from "./job/attempt.ts";
export {
  InDoubtError,
  NotDoneError,
  PermanentError,
  RetryAfterError,
  SnoozeError,
} from "./job/attempt-errors.ts";
export { type Application, type ApplicationDefinition, defineConfig } from "./job/define-config.ts";
export { defineJob, type JobContract, type JobDefinition, type JobHandler } from "./job/define-job.ts";
export {
  defineSchedule,
  type Schedule,
  type ScheduleDefinition,
  type Tick,
} from "./job/define-schedule.ts";
export type {
  Classify,
  EffectCall,
  EffectDeclaration,
  EffectOptions,
  EffectVerdict,
  NotDone,
  ProbeAnswer,
  RunEffect,
} from "./job/effect.ts";
export type {
  Child,
  ChildType,
  Flow,
  FlowChild,
  FlowParent,
  FlowReceipt,
  OnChildFailure,
} from "./job/flow.ts";
export type { JobState } from "./job/job-state.ts";
export type { JobStatus } from "./job/job-status.ts";
export type { Outgoing, Seen } from "./job/outgoing.ts";
export type { JobRetention, Kept } from "./job/retention.ts";
export type { Backoff, RetryPolicy } from "./job/retry-policy.ts";
export type { Receipt, Submission, SubmitOptions, SubmitResult } from "./job/submit-options.ts";
export type { Logger, WithLogger } from "./lib/logger.ts";
export type { Running } from "./lib/running.ts";
export type { Schema } from "./lib/schema.ts";
export type { Doubt } from "./operate/doubts.ts";
export type { Operator, StandaloneOperator } from "./operate/operator.ts";
export type { Producer } from "./submit/producer.ts";

// What connects is loaded when it is called: an application imports its contracts from here in every process.

/**
 * See {@link Producer}.
 *
 * @function
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`
 */
export const createProducer: typeof CreateProducer = async (...args) =>
  (await import("./submit/producer.ts")).createProducer(...args);

/**
 * See {@link StandaloneOperator}.
 *
 * @function
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`
 */
export const createOperator: typeof CreateOperator = async (...args) =>
  (await import("./operate/operator.ts")).createOperator(...args);

/**
 * Submits each schedule's job at each of its ticks.
 *
 * @function
 * @throws HoldfastError as `createProducer`, and `APPLICATION_INVALID`, `START_FAILED`
 */
export const startScheduler: typeof StartScheduler = async (...args) =>
  (await import("./schedule/start-scheduler.ts")).startScheduler(...args);
