import { isoTime } from "../lib/iso-time.ts";
import { readLoss } from "../queue/data-loss.ts";
import type { QueueStore } from "../queue/queue-store.ts";
import { type Finding, finding, ok } from "./finding.ts";

/** Tells for each queue whether the store has everything that it had acknowledged, as far as any process remembers. */
export async function diagnoseLoss(queues: readonly QueueStore[]): Promise<Finding[]> {
  return await Promise.all(
    queues.map(async (store) => {
      const name = `what ${store.queue} has acknowledged`;
      const loss = await readLoss(store);
      if (loss === undefined) return ok(name, "is there");
      const { since, known, found } = loss;
      const text =
        known.id === found.id
          ? `${known.count - found.count} changes are lost, known since ${isoTime(since)}`
          : `it is another store, or one that was emptied, known since ${isoTime(since)}`;
      return finding(name, "bad", text, {
        reason: "keys and effects are forgotten: no job is taken and no effect begins",
        remedy:
          'put the lost data back, or find out what was lost, then holdfast store accept-loss --evidence "…"',
      });
    }),
  );
}
