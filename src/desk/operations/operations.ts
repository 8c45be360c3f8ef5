import { actOperations } from "./acts.ts";
import { auditOperations } from "./audit.ts";
import { doubtOperations } from "./doubts.ts";
import { failureOperations } from "./failures.ts";
import { guardedOperations } from "./guarded.ts";
import { jobOperations } from "./jobs.ts";
import { noticeOperations } from "./notices.ts";
import { outboxOperations } from "./outbox.ts";
import { queueOperations } from "./queues.ts";
import { scheduleOperations } from "./schedules.ts";
import { serviceOperations } from "./service.ts";
import { workerOperations } from "./workers.ts";

/** What operators can see and do, over HTTP and on the command line, by the names of the client's methods. */
export const operations = {
  ...jobOperations,
  ...actOperations,
  ...failureOperations,
  ...doubtOperations,
  ...guardedOperations,
  ...auditOperations,
  ...scheduleOperations,
  ...serviceOperations,
  ...queueOperations,
  ...workerOperations,
  ...outboxOperations,
  ...noticeOperations,
};
export type Operations = typeof operations;
