/**
 * What people's own tests use: `import { runHandler } from "holdfast/testing"`.
 *
 * @module holdfast/testing
 */
// Members of public types that features declare.
export type {} from "../features/index.ts";
export { type CrashSweepOptions, crashSweep } from "./crash-sweep.ts";
export type { EffectScript, RecordedEffect } from "./recorded-effects.ts";
export type { LoggedLine, RecordedSubmission } from "./run-handler.ts";
export { type HandlerError, type HandlerRun, type RunHandlerOptions, runHandler } from "./run-handler.ts";
export type { RepeatedCall, SweepReport, SweptBoundary } from "./sweep-report.ts";
export type { TestClock } from "./test-clock.ts";
export { startTestHoldfast, type TestHoldfast, type TestHoldfastOptions } from "./test-holdfast.ts";
export type { SubmittedJob, TestJob } from "./test-jobs.ts";
