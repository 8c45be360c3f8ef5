import type { QueueStores } from "../../core/bullmq/store/queue-store.ts";
import { storesOfGuard } from "../../guard/places.ts";
import { type Finding, finding } from "../../platform/errors/finding.ts";
import { isoTime } from "../../platform/lib/iso-time.ts";
import { countDoubts } from "../doubts/doubts.ts";
import { diagnoseLoss } from "./doctor-queue.ts";

/** Checks the effects that no job runs: what Redis has lost of them, and their doubts. Nothing is said where all is well, or there are none. */
export async function diagnoseGuard(stores: QueueStores): Promise<Finding[]> {
  const places = storesOfGuard(stores);
  const losses = await Promise.all(places.map(diagnoseLoss));
  const { count, oldestAt = 0 } = await countDoubts(places);
  const doubts = finding("doubts of guards", "warn", `${count}, the oldest since ${isoTime(oldestAt)}`, {
    reason: "nobody can know whether these side effects happened, and no call runs them again",
    remedy: "holdfast doubts list, then holdfast doubts resolve",
  });
  return [...losses.filter(({ verdict }) => verdict !== "ok"), ...(count > 0 ? [doubts] : [])];
}
