import { actOperations } from "./acts.ts";
import { doubtOperations } from "./doubts.ts";
import { jobOperations } from "./jobs.ts";
import { queueOperations } from "./queues.ts";
import { scheduleOperations } from "./schedules.ts";
import { serviceOperations } from "./service.ts";

/** What operators can see and do over HTTP, by the names of the client's methods. */
export const operations = {
  ...jobOperations,
  ...actOperations,
  ...doubtOperations,
  ...scheduleOperations,
  ...queueOperations,
  ...serviceOperations,
};
export type Operations = typeof operations;
