// What the service answers. Its own types, so that what it changes does not compile here until it is heeded.
import type { Caller, Scope } from "../../src/config/api-keys.ts";
import type { Doubt as FullDoubt } from "../../src/effect/doubts.ts";
import type { JobState, ListedJob } from "../../src/status/job-status.ts";
import type { JobDetail } from "../../src/status/read-detail.ts";
import type {
  TickExplanation as Explanation,
  PastTick,
  ScheduleStatus,
} from "../../src/status/schedule-status.ts";
import type { AuditEntry } from "../../src/watch/audit-trail.ts";
import type { FailureGroup, FailureGroups } from "../../src/watch/failure-groups.ts";
import type {
  Overview,
  Percentiles,
  QueueOverview,
  SamplePoint,
  StoreOverview,
  WorkerOverview,
} from "../../src/watch/overview.ts";

export type {
  AuditEntry,
  Caller,
  FailureGroup,
  FailureGroups,
  JobDetail,
  JobState,
  ListedJob,
  Overview,
  PastTick,
  Percentiles,
  QueueOverview,
  SamplePoint,
  ScheduleStatus,
  Scope,
  StoreOverview,
  WorkerOverview,
};

/** An effect in doubt, without what only the service needs. */
export type Doubt = Omit<FullDoubt, "claim">;

export interface JobPage {
  readonly jobs: readonly ListedJob[];
  readonly nextCursor: string | null;
  readonly scanned: number;
}

/** Why a tick did or did not run, in a sentence, too. */
export type TickExplanation = Explanation & { readonly text: string };
