// What the service answers: its own types, so that a change there fails to compile here.
import type { Caller, Scope } from "../../src/config/api-keys.ts";
import type { JobState } from "../../src/job/job-state.ts";
import type { ListedJob } from "../../src/job/job-status.ts";
import type {
  TickExplanation as Explanation,
  PastTick,
  ScheduleStatus,
} from "../../src/job/schedule-status.ts";
import type { ActStatus } from "../../src/operate/acts.ts";
import type { AuditEntry } from "../../src/operate/audit-log.ts";
import type { Doubt as FullDoubt } from "../../src/operate/doubts.ts";
import type { FailureGroup, FailureGroups } from "../../src/operate/failure-groups.ts";
import type { History, HistoryMark, HistoryPoint } from "../../src/operate/history.ts";
import type { JobDetail } from "../../src/operate/job-detail.ts";
import type {
  Overview,
  Percentiles,
  QueueOverview,
  RedisOverview,
  SamplePoint,
  Problem as ServiceProblem,
  TypeOverview,
  WorkerOverview,
} from "../../src/operate/overview.ts";
import type { QueueView } from "../../src/operate/queues.ts";

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
