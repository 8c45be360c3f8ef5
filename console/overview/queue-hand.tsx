import { PauseButton } from "../parts/pause.tsx";
import type { QueueOverview } from "../service/answers.ts";

/** Pauses a queue, or resumes it. The overview shows the change with its next reading. */
export function QueueHand({ name, isPaused }: Pick<QueueOverview, "name" | "isPaused">) {
  return (
    <PauseButton
      name={name}
      path={`queues/${encodeURIComponent(name)}`}
      isPaused={isPaused}
      ifPaused="No further job of it starts, on any worker. Running jobs go on, and jobs are still accepted."
      ifResumed="What waits starts at once, as fast as workers and limits allow."
    />
  );
}
