import type { Doubt } from "../../../desk/doubts/doubts.ts";
import { durationText } from "../../../platform/lib/duration-text.ts";

/** When the worker of an effect in doubt was last seen. */
export function seenText({ worker, workerSeenAt }: Pick<Doubt, "worker" | "workerSeenAt">): string {
  if (workerSeenAt === null) return `worker ${worker} is not known here`;
  return `worker ${worker} was seen ${durationText(Math.max(0, Date.now() - Date.parse(workerSeenAt)))} ago`;
}
