import type { QueueStore } from "../../core/bullmq/store/queue-store.ts";
import { batchByTurn } from "../../platform/lib/batch-by-turn.ts";
import { loadScript } from "../../platform/redis/script.ts";

/** A job whose attempt has ended, and its lane. */
export interface EndedJob {
  readonly id: string;
  readonly lane: string;
}

const script = loadScript(import.meta.url, "let-next-in.lua");
const TOGETHER_MAX = 16;

/** Returns a function that lets the next jobs of a lane in after a job's end. If it fails, the sweep lets them in. */
export function openLetNextIn({ client, keys }: QueueStore): (job: EndedJob) => Promise<void> {
  return batchByTurn({
    itemsMax: TOGETHER_MAX,
    async run(jobs: readonly EndedJob[]) {
      const args = jobs.flatMap(({ id, lane }) => [id, lane]);
      await script.run(client, [keys.lanes], [keys.start, ...args]);
      return jobs.map(() => undefined);
    },
  });
}
