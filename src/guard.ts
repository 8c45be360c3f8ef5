/**
 * `holdfast/guard`: effects at most once, without a job. It loads neither BullMQ nor, before `createGuard`, anything that connects.
 *
 * @module holdfast/guard
 */

export type { EffectCall, EffectDeclaration, ProbeAnswer, ProbeCall, RunEffect } from "./core/job/effect.ts";
export type { Jsonified } from "./core/job/jsonified.ts";
export { type BullmqJob, type GuardedJob, guardJob, type JobCall } from "./edges/guarded/guard-job.ts";
export { guardRoute, type RouteAnswer, type RouteCall } from "./edges/guarded/guard-route.ts";
export {
  effectOf,
  guardTools,
  type Tool,
  type ToolNotice,
  type ToolsOptions,
  toolKey,
} from "./edges/guarded/guard-tools.ts";
export type { DoubtOfCall } from "./evidence/attempt-errors.ts";
export {
  EffectBusyError,
  InDoubtError,
  NotDoneError,
  PermanentError,
  RetryAfterError,
  SnoozeError,
} from "./evidence/attempt-errors.ts";
export { createGuard } from "./guard/create-guard.ts";
export {
  defineEffect,
  type EffectDefinition,
  type Guard,
  type GuardedCall,
  type GuardedEffect,
  type GuardOptions,
  type OnceOptions,
} from "./guard/guard.ts";
export { HoldfastError } from "./platform/errors/holdfast-error.ts";
export type { ForeignConnection } from "./platform/redis/redis-url-of.ts";
