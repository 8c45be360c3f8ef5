// What the service answers, as the client has it, and what is not in the client.

export type { NoticesView as Notices } from "../../src/desk/notices/notice-operator.ts";
export type {
  Overview,
  Percentiles,
  Problem as ServiceProblem,
  QueueOverview,
  RedisOverview,
  SamplePoint,
  TypeOverview,
  WorkerOverview,
} from "../../src/desk/overview/overview.ts";
export type {
  ActDetail,
  ActPreview,
  ActStatus,
  AuditLine,
  Crowd,
  Doubt,
  DoubtGroup,
  FailureGroup,
  History,
  HistoryMark,
  HistoryPoint,
  JobDetail,
  JobPage,
  JobState,
  JobsQuery,
  ListedJob,
  ListQuery,
  PastTick,
  ScheduleStatus,
} from "../../src/edges/client/index.ts";
export type { Caller, Scope } from "../../src/platform/config/api-keys.ts";
