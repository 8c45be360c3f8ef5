// What the API answers, by its own types, so that a change there fails to compile here.

import type { ListedJob } from "../job/job-status.ts";
import type { ResolvedJob } from "../job/resolution.ts";
import type { PastTick, ScheduleStatus, TickExplanation } from "../job/schedule-status.ts";
import type { MatchingGroup } from "../operate/act-matches.ts";
import type { ActStatus, ActPreview as StoredActPreview } from "../operate/acts.ts";
import type { AuditEntry } from "../operate/audit-log.ts";
import type { Doubt as StoredDoubt } from "../operate/doubts.ts";
import type { ManyResolved } from "../operate/doubts-many.ts";
import type { FailureGroup, FailureGroups } from "../operate/failure-groups.ts";
import type { Finding } from "../operate/finding.ts";
import type { History, HistoryMark, HistoryPoint } from "../operate/history.ts";
import type { JobDetail } from "../operate/job-detail.ts";
import type { JobPage } from "../operate/list-jobs.ts";
import type { QueueView } from "../operate/queues.ts";

export type {
  ActStatus,
  AuditEntry,
  FailureGroup,
  FailureGroups,
  History,
  HistoryMark,
  HistoryPoint,
  JobDetail,
  JobPage,
  ListedJob,
  MatchingGroup,
  PastTick,
  QueueView,
  ResolvedJob,
  ScheduleStatus,
};

/** An effect in doubt. */
export type Doubt = Omit<StoredDoubt, "dedupKey">;

/** What became of many doubts, with `before` in ISO 8601. */
export type ManyDoubtsResolved = Omit<ManyResolved, "before" | "doubts"> & {
  readonly before: string;
  readonly doubts: readonly Doubt[];
};

/** What an act on many jobs would do, with `before` in ISO 8601. */
export type ActPreview = Omit<StoredActPreview, "before"> & {
  readonly before: string;
  readonly count: number;
};

/** Why a tick did or did not run, also as a sentence. */
export type ExplainedTick = TickExplanation & { readonly text: string };

/** Whether the API can keep its promises now; if not, why. */
export interface Health {
  readonly status: "ready" | "not ready";
  readonly reasons: readonly string[];
  readonly checks: readonly Finding[];
}
