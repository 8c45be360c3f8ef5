import type { ConsumedPartition, FeatureInWorker, PartitionPart } from "../../core/feature.ts";
import { keepAttempt, keepCrash } from "./failure-records.ts";

/** How attempts failed and workers were lost, for people who look into a job later. */
export const inWorker: FeatureInWorker = {
  inPartition: (partition) => [keepFailures(partition)],
};

/** An error here must not change how the attempt ended. */
function keepFailures({ store, workerName, log }: ConsumedPartition): PartitionPart {
  const onError = (error: unknown) =>
    log.debug({ queue: store.queue, reason: String(error) }, "a failure is not recorded");
  return {
    onFailure: (job, { failure: { code, message }, trace }) =>
      keepAttempt(store, job.id, {
        attempt: job.attemptsMade + 1,
        worker: workerName,
        startedAt: job.startedAt,
        endedAt: Date.now(),
        code,
        message,
        trace,
      }).catch(onError),
    onStalled: (jobId) => void keepCrash(store, jobId, Date.now()).catch(onError),
  };
}
