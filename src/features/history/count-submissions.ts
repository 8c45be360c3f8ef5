import { type HistoryWriter, startHistoryWriter } from "./history-writer.ts";
import { type Running, stopAll, stopOnce } from "../../platform/lib/running.ts";
import type { Events } from "../../platform/telemetry/events.ts";
import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import type { Application } from "../../core/job/define-config.ts";

/** Counts this process's accepted jobs in their queues' history. */
export function countSubmissions(
  events: Events,
  stores: QueueStores,
  { jobs }: Pick<Application, "jobs">,
): Running {
  const writers = new Map<string, HistoryWriter>();
  const writerOf = (queue: string): HistoryWriter => {
    const known = writers.get(queue);
    if (known !== undefined) return known;
    const writer = startHistoryWriter(stores.of(queue));
    writers.set(queue, writer);
    return writer;
  };
  events.on("job.submitted", ({ type, duplicate }) => {
    const contract = jobs.get(type);
    if (!duplicate && contract !== undefined) writerOf(contract.queue).of(type).add("submitted");
  });
  return { stop: stopOnce(() => stopAll([...writers.values()])) };
}
