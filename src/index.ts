/**
 * Holdfast's public surface, and the only one: what is not exported here may change at any time.
 */
export { type Api, startApi } from "./api/start-api.ts";
export { InDoubtError, PermanentError, RetryAfterError } from "./contract/attempt-errors.ts";
export { type Application, type ApplicationDefinition, defineConfig } from "./contract/define-config.ts";
export {
  type Attempt,
  type AttemptFunction,
  type AttemptLog,
  defineJob,
  type JobContract,
  type JobDefinition,
  type JobHandler,
} from "./contract/define-job.ts";
export {
  defineSchedule,
  type Schedule,
  type ScheduleDefinition,
  type Tick,
} from "./contract/define-schedule.ts";
export type {
  EffectCall,
  EffectDeclaration,
  EffectOptions,
  EffectVerdict,
  ProbeAnswer,
  RunEffect,
} from "./contract/effect.ts";
export type { Backoff, RetryPolicy } from "./contract/retry-policy.ts";
export type { Doubt } from "./effect/doubts.ts";
export type { ErrorCode } from "./errors/error-codes.ts";
export { HoldfastError, type Offence } from "./errors/holdfast-error.ts";
export { createOperator, type StandaloneOperator } from "./operate/create-operator.ts";
export type { Operator } from "./operate/operator.ts";
export { startScheduler } from "./scheduler/start-scheduler.ts";
export type { Running } from "./service/running.ts";
export type { JobState, JobStatus } from "./status/job-status.ts";
export {
  createProducer,
  type Producer,
  type Submission,
  type SubmitOptions,
  type SubmitResult,
} from "./submit/producer.ts";
export type { Receipt } from "./submit/submitter.ts";
export { startWorker } from "./worker/start-worker.ts";
