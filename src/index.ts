/**
 * Holdfast's public surface, and the only one: what is not exported here may change at any time.
 */

export type { ErrorCode } from "./errors/error-codes.ts";
export { HoldfastError, type Issue } from "./errors/holdfast-error.ts";
export { type Api, startApi } from "./http/start-api.ts";
export { InDoubtError, PermanentError, RetryAfterError } from "./job/attempt-errors.ts";
export { type Application, type ApplicationDefinition, defineConfig } from "./job/define-config.ts";
export {
  type Attempt,
  type AttemptFunction,
  type AttemptLog,
  defineJob,
  type JobContract,
  type JobDefinition,
  type JobHandler,
} from "./job/define-job.ts";
export {
  defineSchedule,
  type Schedule,
  type ScheduleDefinition,
  type Tick,
} from "./job/define-schedule.ts";
export type {
  EffectCall,
  EffectDeclaration,
  EffectOptions,
  EffectVerdict,
  ProbeAnswer,
  RunEffect,
} from "./job/effect.ts";
export type { Backoff, RetryPolicy } from "./job/retry-policy.ts";
export type { Running } from "./lib/running.ts";
export { createOperator, type StandaloneOperator } from "./operate/create-operator.ts";
export type { Doubt } from "./operate/doubts.ts";
export type { Operator } from "./operate/operator.ts";
export type { JobState } from "./queue/job-state.ts";
export { startScheduler } from "./schedule/start-scheduler.ts";
export type { JobStatus } from "./status/job-status.ts";
export {
  createProducer,
  type Producer,
  type Submission,
  type SubmitOptions,
  type SubmitResult,
} from "./submit/producer.ts";
export type { Receipt } from "./submit/submitter.ts";
export { startWorker } from "./worker/start-worker.ts";
