// What the API answers, by its own types, so that a change there fails to compile here.

import type { Finding } from "../../platform/errors/finding.ts";
import type { Returned } from "./operation-types.ts";

export type { ResolvedJob } from "../../core/job/resolution.ts";
export type { MatchingGroup } from "../../desk/acts/act-matches.ts";
export type { ActDetail, ActStatus } from "../../desk/acts/acts.ts";
export type { AuditLine } from "../../desk/audit/audit-lines.ts";
export type { DoubtGroup, DoubtGroups } from "../../desk/doubts/doubt-groups.ts";
export type { FailureGroup, FailureGroups } from "../../desk/jobs/failure-groups.ts";
export type { JobDetail } from "../../desk/jobs/job-detail.ts";
export type { JobPage } from "../../desk/jobs/job-operator.ts";
export type { History, HistoryMark, HistoryPoint } from "../../desk/overview/history.ts";
export type { Crowd } from "../../desk/queues/crowd.ts";
export type { QueueView } from "../../desk/queues/queues.ts";
export type { ExplainedTick } from "../../desk/schedules.ts";
export type { ListedJob } from "../../features/job-status.ts";
export type { PastTick, ScheduleStatus } from "../../roles/schedules/schedule-status.ts";

/** An effect in doubt. */
export type Doubt = Returned<"doubts">[number];

/** Whose probes are asked, with `before` in ISO 8601. */
export type ProbesAsked = Returned<"askProbes">;

/** What became of many doubts, with `before` in ISO 8601. */
export type ManyDoubtsResolved = Returned<"resolveDoubts">;

/** What an act on many jobs would do, with `before` in ISO 8601. */
export type ActPreview = Extract<Returned<"startAct">, { nextCursor: unknown }>;

/** Whether the API can keep its promises now; if not, why. */
export interface Health {
  readonly status: "ready" | "not ready";
  readonly reasons: readonly string[];
  readonly checks: readonly Finding[];
}
