import type { QueueStore } from "../core/bullmq/store/queue-store.ts";
import { loadScript } from "../platform/redis/script.ts";

const script = loadScript(import.meta.url, "unfinished.lua");

/** What a queue has to do now. */
export interface Unfinished {
  /** Jobs that wait, run, or are delayed and due. */
  readonly jobs: number;
  /** Differs after each submission and each end of a job. */
  readonly stamp: number;
}

/** Reads it in one step. */
export async function readUnfinished({ client, keys }: QueueStore): Promise<Unfinished> {
  const reply = await script.run(client, [keys.delayed], [keys.start]);
  const [jobs, stamp] = reply as [number, number];
  return { jobs, stamp };
}
