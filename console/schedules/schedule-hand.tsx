import { useQueryClient } from "@tanstack/react-query";
import { PauseButton } from "../parts/pause.tsx";
import type { ScheduleStatus } from "../service/answers.ts";
import { service } from "../service/call.ts";

/** Pauses a schedule, or resumes it. */
export function ScheduleHand({ name, paused }: Pick<ScheduleStatus, "name" | "paused">) {
  const client = useQueryClient();
  return (
    <PauseButton
      name={name}
      pause={service.pauseSchedule}
      resume={service.resumeSchedule}
      isPaused={paused !== null}
      ifPaused="Its ticks are skipped, and not caught up later. Jobs of earlier ticks go on."
      ifResumed="It ticks again. Ticks during the pause are not caught up."
      onChanged={() => client.invalidateQueries({ queryKey: ["schedules"] })}
    />
  );
}
