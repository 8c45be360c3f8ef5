/** A worker process of the row for keyed concurrency. It notes when each job began and ended, and reports all of it when it is asked to. */

import { startWorker } from "holdfast/worker";
import { keyedApplication, type Run } from "./keyed-jobs.ts";

const runs: Run[] = [];
const worker = await startWorker(keyedApplication((run) => void runs.push(run)));
process.on("message", () => {
  void worker.stop().then(() => {
    process.send?.(runs, () => process.disconnect());
  });
});
process.send?.("ready");
