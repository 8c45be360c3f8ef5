/** A scheduler process of the row for stored schedules. It reports what it has cost since it was last asked. */

import { startScheduler } from "holdfast";
import { scheduledApplication } from "./scheduled-job.ts";

await startScheduler(scheduledApplication);
let before = process.cpuUsage();
process.on("message", () => {
  const { user, system } = process.cpuUsage(before);
  before = process.cpuUsage();
  process.send?.((user + system) / 1_000);
});
process.send?.("ready");
