/**
 * `holdfast/client`: a client of the HTTP API for browsers, edge runtimes, Bun, Deno and Node.js. At run time it needs `fetch`,
 * and nothing else.
 *
 * @module holdfast/client
 */

export type { JobState } from "../../core/job/job-state.ts";
export type { JobStatus } from "../../core/job/job-status.ts";
export type { Jsonified } from "../../core/job/jsonified.ts";
export type { ProducibleJob, Receipt, SubmitOptions } from "../../core/job/submit-options.ts";
export type {
  JobStatusOf,
  PayloadOf,
  ReadStatus,
  ResultOf,
  Submission,
  SubmitResult,
} from "../../desk/job-types.ts";
export type * from "../../features/index.ts";
export type { ErrorCode } from "../../platform/errors/error-codes.ts";
export type { Issue, Problem } from "../../platform/errors/holdfast-error.ts";
export { HoldfastError } from "../../platform/errors/public-error.ts";
export type { ActQuery, StartActQuery } from "./acts.ts";
export type * from "./answers.ts";
export type { ClientOptions } from "./api.ts";
export { type Abortable, type Client, createClient } from "./client.ts";
export type { WaitOptions } from "./follow.ts";
export type { OperationCalls } from "./operations.ts";
export type {
  ClientDoubtFilter,
  ClientHistoryQuery,
  ClientResolution,
  DoubtsQuery,
  JobsQuery,
  ListQuery,
  ManyDoubtsRequest,
  OperatorCalls,
} from "./operator.ts";
