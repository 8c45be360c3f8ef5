import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import type { ConsumedPartition, PartitionPart } from "../../core/feature.ts";
import { batchByTurn } from "../../platform/lib/batch-by-turn.ts";
import { integer } from "../../platform/redis/reply-shape.ts";
import { loadScript } from "../../platform/redis/script.ts";

const script = loadScript(import.meta.url, "let-next-in.lua", integer);
const TOGETHER_MAX = 16;

/** Lets the next jobs of a lane in after each end of a job that has one. */
export function letNextInAtEnds({
  store,
  log,
}: ConsumedPartition): Required<Pick<PartitionPart, "onJobEnd">> {
  const letIn = openLetNextIn(store);
  return {
    onJobEnd({ id, options }) {
      if (!("lane" in options)) return;
      letIn({ id, lane: String(options.lane) }).catch((error: unknown) =>
        log.debug({ queue: store.queue, reason: String(error) }, "the next job of a lane is not let in yet"),
      );
    },
  };
}

interface JobInLane {
  readonly id: string;
  readonly lane: string;
}

/** Returns a function that lets the next jobs of a lane in after a job's end. If it fails, the sweep lets them in. */
export function openLetNextIn({ client, keys }: QueueStore): (job: JobInLane) => Promise<void> {
  return batchByTurn({
    itemsMax: TOGETHER_MAX,
    async run(jobs: readonly JobInLane[]) {
      const args = jobs.flatMap(({ id, lane }) => [id, lane]);
      await script.run(client, [keys.own("lanes")], [keys.start, ...args]);
      return jobs.map(() => undefined);
    },
  });
}
