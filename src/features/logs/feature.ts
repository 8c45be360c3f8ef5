import type { Events } from "../../core/events.ts";
import type { Feature } from "../../core/feature.ts";
import type { Logger } from "../../platform/lib/logger.ts";
import type { Running } from "../../platform/lib/running.ts";

/** @internal A process logs what happens to its jobs. */
export const logs: Feature = {
  name: "logs",
  inSubmitter: ({ events, log }) => (log === undefined ? [] : [logSubmissions(events, log)]),
  inWorker: () => import("./in-worker.ts"),
};

/** Logs accepted submissions at debug, since they would flood the log. */
function logSubmissions(events: Events, log: Logger): Partial<Running> {
  events.on("job.submitted", ({ id: jobId, type, duplicate }) =>
    log.debug({ jobId, type, duplicate }, "job accepted"),
  );
  return {};
}
