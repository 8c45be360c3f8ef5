// What the service answers: its own types, so that a change there fails to compile here.

import type { JobState } from "../../src/core/job/job-state.ts";
import type { ListedJob } from "../../src/core/job/job-status.ts";
import type { ActStatus } from "../../src/desk/acts/acts.ts";
import type { AuditEntry } from "../../src/desk/audit/audit-log.ts";
import type { Doubt as FullDoubt } from "../../src/desk/doubts/doubts.ts";
import type { FailureGroup, FailureGroups } from "../../src/desk/jobs/failure-groups.ts";
import type { JobDetail } from "../../src/desk/jobs/job-detail.ts";
import type {
  Overview,
  Percentiles,
  QueueOverview,
  RedisOverview,
  SamplePoint,
  Problem as ServiceProblem,
  TypeOverview,
  WorkerOverview,
} from "../../src/desk/overview/overview.ts";
import type { QueueView } from "../../src/desk/queues/queues.ts";
import type { History, HistoryMark, HistoryPoint } from "../../src/features/history/history.ts";
import type {
  TickExplanation as Explanation,
  PastTick,
  ScheduleStatus,
} from "../../src/features/schedules/schedule-status.ts";
import type { Caller, Scope } from "../../src/platform/config/api-keys.ts";

export type {
  ActStatus,
  AuditEntry,
  Caller,
  FailureGroup,
  FailureGroups,
  History,
  HistoryMark,
  HistoryPoint,
  JobDetail,
  JobState,
  ListedJob,
  Overview,
  PastTick,
  Percentiles,
  QueueOverview,
  QueueView,
  RedisOverview,
  SamplePoint,
  ScheduleStatus,
  Scope,
  ServiceProblem,
  TypeOverview,
  WorkerOverview,
};

/** An effect in doubt, as the API shows it. */
export type Doubt = Omit<FullDoubt, "dedupKey">;

export interface JobPage {
  readonly jobs: readonly ListedJob[];
  readonly nextCursor: string | null;
  readonly scanned: number;
  /** Jobs that moved while it was read may be missing from it. */
  readonly mayMiss?: true;
}

/** Why a tick did or did not run, also as a sentence. */
export type TickExplanation = Explanation & { readonly text: string };
