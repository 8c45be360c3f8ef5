/**
 * Holdfast's public surface for every process: contracts, producer, operator, scheduler. `holdfast/worker`, `holdfast/server` and
 * `holdfast/testing` have the rest, apart, because bundlers also follow dynamic imports. What none of them exports may change at any time.
 *
 * @module holdfast
 */

import type { createProducer as CreateProducer } from "./desk/create-producer.ts";
import type { createOperator as CreateOperator } from "./desk/operator.ts";
import type { startScheduler as StartScheduler } from "./desk/start-scheduler.ts";

export type { ApplicationDefinition } from "./core/define/declaration.ts";
export type { JobDefinition } from "./core/define/define-job.ts";
export type { Application } from "./core/job/application.ts";
export type { Attempt, AttemptFunction, AttemptLog } from "./core/job/attempt.ts";
export type { JobContract, JobHandler } from "./core/job/contract.ts";
export type {
  EffectCall,
  EffectDeclaration,
  EffectOptions,
  ProbeAnswer,
  RunEffect,
} from "./core/job/effect.ts";
export type { JobState } from "./core/job/job-state.ts";
export type { JobStatus } from "./core/job/job-status.ts";
export type { Jsonified } from "./core/job/jsonified.ts";
export type { Backoff, RetryPolicy } from "./core/job/retry-policy.ts";
export type { Receipt, SubmitOptions } from "./core/job/submit-options.ts";
export type { Producer } from "./desk/create-producer.ts";
export type { Doubt } from "./desk/doubts/doubts.ts";
export type {
  AttemptOf,
  JobStatusOf,
  PayloadOf,
  ReadStatus,
  ResultOf,
  Submission,
  SubmitResult,
} from "./desk/job-types.ts";
export type { Operator, StandaloneOperator } from "./desk/operator.ts";
export {
  InDoubtError,
  NotDoneError,
  PermanentError,
  RetryAfterError,
  SnoozeError,
} from "./evidence/attempt-errors.ts";
export type { Classify, EffectVerdict, NotDone } from "./evidence/classifier.ts";
export type { Outgoing, Seen } from "./evidence/outgoing/outgoing.ts";
export { defineConfig, defineJob } from "./features/define.ts";
export type * from "./features/index.ts";
export { readEnv } from "./platform/config/application-env.ts";
export type { ErrorCode } from "./platform/errors/error-codes.ts";
export type { Issue, Problem } from "./platform/errors/holdfast-error.ts";
export { HoldfastError } from "./platform/errors/public-error.ts";
export type { Logger, WithLogger } from "./platform/lib/logger.ts";
export type { Running } from "./platform/lib/running.ts";
export type { Schema } from "./platform/lib/schema.ts";
export {
  type DeclaredSchedule as Schedule,
  defineSchedule,
  type ScheduleDefinition,
  type Tick,
} from "./roles/schedules/define-schedule.ts";

// What connects is loaded when it is called: an application imports its contracts from here in every process.

/**
 * See {@link Producer}.
 *
 * @function
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`, `QUEUE_CHANGED`, `CLOCK_WRONG`
 */
export const createProducer: typeof CreateProducer = async (...args) =>
  (await import("./desk/create-producer.ts")).createProducer(...args);

/**
 * See {@link StandaloneOperator}.
 *
 * @function
 * @throws HoldfastError `CONFIG_INVALID`, `STORE_UNAVAILABLE`, `STORE_REFUSED`, `STORE_UNFIT`
 */
export const createOperator: typeof CreateOperator = async (...args) =>
  (await import("./desk/operator.ts")).createOperator(...args);

/**
 * Submits each schedule's job at each of its ticks.
 *
 * @function
 * @throws HoldfastError as `createProducer`, and `APPLICATION_INVALID`, `START_FAILED`
 */
export const startScheduler: typeof StartScheduler = async (...args) =>
  (await import("./desk/start-scheduler.ts")).startScheduler(...args);
